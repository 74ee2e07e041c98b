"""What a run of the demo plays: rows of one model, the first of them known before the start."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from driftline_schemas.fields import Output
from driftline_schemas.spec import FeatureKind, Task

LABEL_DELAY: Final = 100  # rows
Features = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Fault:
    """The first and the last faulty row."""

    first: int
    last: int

    def holds(self, row: int) -> bool:
        """True for a faulty row."""
        return self.first <= row <= self.last


@dataclass(frozen=True, slots=True)
class Stream:
    """`rows`, numbered from 0, are features and label (None: it never comes); the first `known` are
    there before the start, the others are played. In faulty rows each of the `rotated` features
    carries the value of the next. `left_out` says of columns why they are no features.
    """

    model: str
    task: Task
    kinds: Mapping[str, FeatureKind]
    label: str
    rows: Sequence[tuple[Features, Output | None]]
    known: int
    rotated: Sequence[str]
    faulty_rows: int
    fault: Fault | None = None  # unless the user asks for another
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def streamed(self) -> int:
        """How many rows are played."""
        return len(self.rows) - self.known

    @property
    def labels(self) -> int:
        """How many labels come: those of the last rows would be due after the end."""
        last = len(self.rows) - LABEL_DELAY
        return sum(label is not None for _, label in self.rows[self.known : last])

    def fault_at(self, share: float) -> Fault:
        """The fault that begins after a share of the played rows."""
        first = self.known + int(share * self.streamed)
        return Fault(first, min(first + self.faulty_rows, len(self.rows)) - 1)

    def played(self, fault: Fault | None) -> Iterator[tuple[int, Features, Output | None]]:
        """Row number, features as the app sees them, and the truth."""
        for row in range(self.known, len(self.rows)):
            features, label = self.rows[row]
            faulty = fault is not None and fault.holds(row)
            yield row, self._rotate(features) if faulty else features, label

    def _rotate(self, features: Features) -> Features:
        following = (*self.rotated[1:], self.rotated[0])
        pairs = zip(self.rotated, following, strict=True)
        return {**features, **{name: features[other] for name, other in pairs}}

    def prediction_id(self, row: int) -> str:
        """The id under which the app publishes a row."""
        return f"{self.model}-{row}"


def row_of(prediction_id: str) -> int:
    """The row that an id stands for."""
    return int(prediction_id.rpartition("-")[2])
