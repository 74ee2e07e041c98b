"""Which predictions and labels of one key belong together? A function of the two logs alone.

A key is (model, prediction id). Its halves are taken in generations: the first prediction and the
first label that are left join, or one of them is alone; each outcome swallows the later halves
that fall into its time, and the rest starts anew.
"""

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from tests.verifier.envelope import same_output

Output = str | int | float
Reason = Literal["no_label", "no_prediction"]
Position = tuple[int, int]
EDGE_MS = 2000


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings of an installation, times in milliseconds."""

    horizon_ms: int
    repeat_window_ms: int
    pane_ms: int

    @property
    def grace_ms(self) -> int:
        """How long after the horizon a lonely half is given up."""
        return min(max(self.horizon_ms // 100, 1000), 300_000)


class PredictionHalf(NamedTuple):
    """`at` is the append time."""

    tp: Position
    at: int
    raw: bytes


class LabelHalf(NamedTuple):
    """`at` is the append time."""

    tp: Position
    at: int
    value: Output


class Correction(NamedTuple):
    """A later, different label; `corrects` is the label that joined."""

    prediction: PredictionHalf
    label: LabelHalf
    corrects: LabelHalf
    previous: Output


@dataclass(slots=True)
class Outcome:
    """What becomes of the halves of one key."""

    joined: list[tuple[PredictionHalf, LabelHalf]] = field(default_factory=list)
    corrections: list[Correction] = field(default_factory=list)
    alone: list[tuple[Reason, PredictionHalf | LabelHalf]] = field(default_factory=list)
    counted: list[PredictionHalf] = field(default_factory=list)
    repeats: int = 0
    conflicts: int = 0
    label_repeats: int = 0
    on_edge: bool = False  # so near a limit in time that either answer is right


class _Key:
    def __init__(
        self, predictions: list[PredictionHalf], labels: list[LabelHalf], rules: Rules
    ) -> None:
        self.predictions = predictions[::-1]  # the next one is at the end
        self.labels = labels[::-1]
        self.rules = rules
        self.outcome = Outcome()

    def resolve(self) -> Outcome:
        while self.predictions or self.labels:
            if self.predictions and self.labels and self._in_time():
                self._join()
            elif self._prediction_is_older():
                self._prediction_alone()
            else:
                self._label_alone()
        return self.outcome

    def _in_time(self) -> bool:
        apart = abs(self.predictions[-1].at - self.labels[-1].at)
        self.outcome.on_edge |= abs(apart - self.rules.horizon_ms) <= self.rules.grace_ms
        return apart <= self.rules.horizon_ms

    def _prediction_is_older(self) -> bool:
        if not (self.predictions and self.labels):
            return bool(self.predictions)
        return self.predictions[-1].at <= self.labels[-1].at

    def _join(self) -> None:
        prediction, label = self.predictions.pop(), self.labels.pop()
        self.outcome.joined.append((prediction, label))
        self.outcome.counted.append(prediction)
        until = label.at + self.rules.repeat_window_ms
        self._swallow_predictions(prediction, until)
        current = label.value
        for later in self._labels_until(until):
            if same_output(later.value, current):
                self.outcome.label_repeats += 1
                continue
            self.outcome.corrections.append(Correction(prediction, later, label, current))
            current = later.value

    def _prediction_alone(self) -> None:
        prediction = self.predictions.pop()
        self.outcome.alone.append(("no_label", prediction))
        self.outcome.counted.append(prediction)
        self._swallow_predictions(prediction, prediction.at + self.rules.horizon_ms)

    def _label_alone(self) -> None:
        label = self.labels.pop()
        self.outcome.alone.append(("no_prediction", label))
        # Nothing is left of a label that was given up, so none repeats it after the horizon.
        kept = min(self.rules.repeat_window_ms, self.rules.horizon_ms)
        self.outcome.label_repeats += len(self._labels_until(label.at + kept))

    def _swallow_predictions(self, first: PredictionHalf, until: int) -> None:
        while self.predictions and self._reached(self.predictions[-1].at, until):
            if self.predictions.pop().raw == first.raw:
                self.outcome.repeats += 1
            else:
                self.outcome.conflicts += 1

    def _labels_until(self, until: int) -> list[LabelHalf]:
        swallowed = []
        while self.labels and self._reached(self.labels[-1].at, until):
            swallowed.append(self.labels.pop())
        return swallowed

    def _reached(self, at: int, until: int) -> bool:
        self.outcome.on_edge |= abs(at - until) <= EDGE_MS
        return at <= until


def resolve(predictions: list[PredictionHalf], labels: list[LabelHalf], rules: Rules) -> Outcome:
    """The outcome of one key; both lists in offset order, as appended."""
    return _Key(predictions, labels, rules).resolve()
