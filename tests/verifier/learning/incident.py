"""When had the error of what was served risen, and when was it back?"""

from collections import deque
from dataclasses import dataclass, field
from typing import Any, Literal

from river import drift

BASELINE, RECOVERY, MARGIN = 1_000, 200, 0.05
FIRST = 200  # labels that fix the scale of a regression's error
LARGEST = 1e100  # an error beyond this counts as this
QUANTILE = 190  # of these, the smallest that 95 % do not exceed


@dataclass(slots=True)
class Errors:
    """How wrong a prediction is, from 0 to 1: for numbers in units of the first errors served."""

    numeric: bool
    scale: float | None = None
    first: list[float] = field(default_factory=list)

    def served(self, prediction: Any, label: Any) -> float | None:
        """The error of what was served, which also fixes the scale."""
        if self.numeric and self.scale is None:
            self.first.append(min(abs(label - prediction), LARGEST))
            if len(self.first) == FIRST:
                self.scale = sorted(self.first)[QUANTILE - 1]
        return self.of(prediction, label)

    def of(self, prediction: Any, label: Any) -> float | None:
        """The error; None before the scale is known."""
        if not self.numeric:
            return 0.0 if prediction == label else 1.0
        if self.scale is None:
            return None
        if prediction is None:
            return 1.0
        off = abs(label - prediction)
        return min(1.0, off / self.scale) if self.scale else float(off > 0)


def _detector() -> Any:
    return drift.ADWIN(delta=0.002)  # type: ignore[no-untyped-call]  # River's is bare


@dataclass(slots=True)
class Incident:
    """River's ADWIN over single errors, never reset by us; only a rise of its mean counts.

    It closes when accuracy over the last 200 labels of predictions made after the opening reaches
    that of the last 1,000 labels before it, less .05.
    """

    detector: Any = field(default_factory=_detector)
    before: deque[float] = field(default_factory=lambda: deque(maxlen=BASELINE))
    after: deque[float] = field(default_factory=lambda: deque(maxlen=RECOVERY))
    opened: int | None = None  # label_ts that opened it
    wanted: float = 0.0

    def step(self, error: float, made: int, labelled: int) -> Literal["opened", "resolved", ""]:
        """One label; `made` and `labelled` are append times (ms)."""
        mean = self.detector.estimation
        self.detector.update(error)
        rose = self.detector.drift_detected and self.detector.estimation > mean
        happened: Literal["opened", "resolved", ""] = ""
        if self.opened is None:
            if rose:
                self.opened, self.wanted = labelled, _accuracy(self.before)
                self.after.clear()
                happened = "opened"
        elif made > self.opened:
            self.after.append(error)
            back = round(_accuracy(self.after) - self.wanted + MARGIN, 9) >= 0
            if len(self.after) == RECOVERY and back:
                self.opened, happened = None, "resolved"
        self.before.append(error)
        return happened


def _accuracy(errors: deque[float]) -> float:
    return 1 - sum(errors) / len(errors)
