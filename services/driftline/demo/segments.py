"""River's bundled ImageSegments as a stream, with a fault that we inject ourselves.

Rows 0 to 692 are known before the start; rows 693 to 4,699 are streamed, those past the end of the
set being rows 693 on again. In the faulty rows six features each carry the value of the next.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from river import datasets

MODEL: Final = "segments"
VERSION: Final = "champion-1"
ROTATED: Final = (
    "hue-mean", "exgreen-mean", "region-centroid-row", "rawred-mean", "saturation-mean",
    "rawblue-mean",
)  # fmt: skip
KNOWN_ROWS: Final = 693
LAST_ROW: Final = 4_699
STREAMED_ROWS: Final = LAST_ROW - KNOWN_ROWS + 1
FAULTY_ROWS: Final = 1_617
DEFAULT_FIRST: Final = 1_771
LABEL_DELAY: Final = 100
ROWS_PER_SECOND: Final = 40.0
Features = dict[str, float]


@dataclass(frozen=True, slots=True)
class Fault:
    """The first and the last faulty row."""

    first: int
    last: int

    def holds(self, row: int) -> bool:
        """True for a faulty row."""
        return self.first <= row <= self.last


def fault_at(share: float | None) -> Fault:
    """The fault that begins after a share of the streamed rows; always 1,617 rows long."""
    first = DEFAULT_FIRST if share is None else KNOWN_ROWS + int(share * STREAMED_ROWS)
    return Fault(first, min(first + FAULTY_ROWS - 1, LAST_ROW))


def rows() -> list[tuple[Features, str]]:
    """The set as shipped: features and class of each row."""
    shipped: Iterable[Any] = datasets.ImageSegments()  # type: ignore[no-untyped-call]  # River's
    return [({k: float(v) for k, v in x.items()}, str(y)) for x, y in shipped]


def stream(known: list[tuple[Features, str]], fault: Fault | None) -> Iterator[
    tuple[int, Features, str]
]:  # fmt: skip
    """Row number, features as the app sees them, and the true class."""
    again = len(known) - KNOWN_ROWS
    for row in range(KNOWN_ROWS, LAST_ROW + 1):
        features, label = known[KNOWN_ROWS + (row - KNOWN_ROWS) % again]
        faulty = fault is not None and fault.holds(row)
        yield row, rotate(features) if faulty else features, label


def rotate(features: Features) -> Features:
    """Each of the six features carries the value of the next, the last that of the first."""
    pairs = zip(ROTATED, (*ROTATED[1:], ROTATED[0]), strict=True)
    return {**features, **{name: features[other] for name, other in pairs}}


def prediction_id(row: int) -> str:
    """The id under which the app publishes a row."""
    return f"{MODEL}-{row}"


def row_of(prediction_id: str) -> int:
    """The row that an id stands for."""
    return int(prediction_id.rpartition("-")[2])
