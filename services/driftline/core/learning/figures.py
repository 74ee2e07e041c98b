"""How good were the predictions of a pipeline, over all labels and over the last 200?"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Final, Self

from driftline_schemas.fields import Output
from driftline_schemas.spec import Task

WINDOW: Final = 200
DIVERGED: Final = 1e12  # an absolute error beyond this is no figure that anybody can read


@dataclass(slots=True)
class RunningFigure:
    """Accuracy, or mean absolute error for regression.

    No prediction is wrong in a class; in regression it is counted as unusable and left out of the
    mean, like one that is not finite or off by more than 1e12.
    """

    task: Task
    n: int = 0
    total: float = 0.0
    unusable: int = 0
    _last: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))

    def add(self, prediction: Output | None, label: Output) -> None:
        """Take in a prediction and what was true."""
        value = self._value(prediction, label)
        if value is None:
            self.unusable += 1
            return
        self.n += 1
        self.total += value
        self._last.append(value)

    def _value(self, prediction: Output | None, label: Output) -> float | None:
        if self.task != "regression":
            return float(prediction == label)
        if isinstance(prediction, str) or isinstance(label, str) or prediction is None:
            return None
        error = abs(prediction - label)
        return error if isfinite(error) and error <= DIVERGED else None

    def figures(self, name: str) -> dict[str, float]:
        """{name_accuracy: ..., name_accuracy_last_200: ...}; nothing before the first label."""
        metric = f"{name}_{'mae' if self.task == 'regression' else 'accuracy'}"
        found: dict[str, float] = {}
        if self.n:
            found[metric] = self.total / self.n
            found[f"{metric}_last_{WINDOW}"] = sum(self._last) / len(self._last)
        if self.unusable:
            found[f"{name}_unusable"] = self.unusable
        return found

    def snapshot(self) -> list[Any]:
        """The state as JSON types."""
        return [self.n, self.total, self.unusable, list(self._last)]

    @classmethod
    def restore(cls, task: Task, snapshot: list[Any]) -> Self:
        """The state that `snapshot` gave."""
        n, total, unusable, last = snapshot
        return cls(task, n, total, unusable, deque(last, WINDOW))


@dataclass(slots=True)
class LineageFigures:
    """As-of figures, by versions that existed when the prediction was asked for, and beside them
    prequential ones with zero delay: predicted just before learning, which flatters where labels
    are late. No gate reads the latter."""

    as_of: RunningFigure
    zero_delay: RunningFigure
    too_early: int = 0  # labels of predictions older than the first version

    @classmethod
    def of(cls, task: Task) -> Self:
        """Nothing seen yet."""
        return cls(RunningFigure(task), RunningFigure(task))

    def figures(self) -> Mapping[str, float]:
        """All of them by name."""
        return {
            **self.as_of.figures("as_of"),
            **self.zero_delay.figures("prequential_zero_delay"),
        }

    def snapshot(self) -> list[Any]:
        """The state as JSON types."""
        return [self.as_of.snapshot(), self.zero_delay.snapshot(), self.too_early]

    @classmethod
    def restore(cls, task: Task, snapshot: list[Any]) -> Self:
        """The state that `snapshot` gave."""
        as_of, zero_delay, too_early = snapshot
        return cls(
            RunningFigure.restore(task, as_of), RunningFigure.restore(task, zero_delay), too_early
        )
