"""River's bundled ImageSegments as a stream, with a fault that we inject ourselves.

Rows 0 to 692 are known before the start; rows 693 to 4,699 are streamed, those past the end of the
set being rows 693 on again. In the faulty rows six features each carry the value of the next.
"""

from collections.abc import Iterable
from typing import Any, Final

from river import datasets

from driftline.demo.stream import Fault, Stream

ROTATED: Final = (
    "hue-mean", "exgreen-mean", "region-centroid-row", "rawred-mean", "saturation-mean",
    "rawblue-mean",
)  # fmt: skip
KNOWN_ROWS: Final = 693
LAST_ROW: Final = 4_699
FAULTY_ROWS: Final = 1_617
FAULT: Final = Fault(1_771, 3_387)


def segments() -> Stream:
    """The stream; without other orders the fault is in rows 1,771 to 3,387."""
    shipped = rows()
    again = len(shipped) - KNOWN_ROWS
    streamed = (
        shipped[KNOWN_ROWS + (row - KNOWN_ROWS) % again] for row in range(KNOWN_ROWS, LAST_ROW + 1)
    )
    return Stream(
        model="segments",
        task="multiclass",
        kinds=dict.fromkeys(shipped[0][0], "numeric"),
        label="class",
        rows=[*shipped[:KNOWN_ROWS], *streamed],
        known=KNOWN_ROWS,
        rotated=ROTATED,
        faulty_rows=FAULTY_ROWS,
        fault=FAULT,
    )


def rows() -> list[tuple[dict[str, float], str]]:
    """The set as shipped: features and class of each row."""
    shipped: Iterable[Any] = datasets.ImageSegments()  # type: ignore[no-untyped-call]  # River's
    return [({k: float(v) for k, v in x.items()}, str(y)) for x, y in shipped]
