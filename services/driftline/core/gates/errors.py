"""How wrong is a prediction, from 0 (right) to 1 (wholly wrong)?"""

from dataclasses import dataclass, field
from math import ceil, isfinite
from typing import Any, Final, Self

from driftline_schemas.fields import Output

FIRST: Final = 200  # labels that fix the scale
SHARE: Final = 0.95
LARGEST: Final = 1e100  # the scale must stay finite, whatever a label says


def class_error(prediction: Output | None, label: Output) -> float:
    """1 for another class or no prediction."""
    return float(prediction != label)


def distance(label: float, prediction: float) -> float:
    """|label - prediction| as float: that of two integers may need more than 64 bit."""
    return abs(float(label) - float(prediction))


@dataclass(slots=True)
class ErrorScale:
    """Regression: min(1, |y - prediction| / q), q the 95 % quantile (the 190th smallest) of that
    over the first 200 labels and the predictions that were served. Before, nothing is scored."""

    scale: float | None = None
    _first: list[float] = field(default_factory=list)

    def add(self, served: float, label: float) -> None:
        """Take in a recorded prediction until the scale is fixed."""
        if self.scale is not None:
            return
        self._first.append(min(distance(label, served), LARGEST))
        if len(self._first) == FIRST:
            self.scale = sorted(self._first)[ceil(SHARE * FIRST) - 1]
            self._first.clear()

    def error(self, prediction: float | None, label: float) -> float | None:
        """The error; None while there is no scale. No finite prediction is wholly wrong."""
        if self.scale is None:
            return None
        if prediction is None or not isfinite(prediction):
            return 1.0
        far = distance(label, prediction)
        return min(1.0, far / self.scale) if self.scale > 0 else float(far > 0)

    def snapshot(self) -> list[Any]:
        """The state as JSON types."""
        return [self.scale, list(self._first)]

    @classmethod
    def restore(cls, snapshot: list[Any]) -> Self:
        """The state that `snapshot` gave."""
        scale, first = snapshot
        return cls(scale, list(first))
