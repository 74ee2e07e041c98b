"""When does accuracy below the floor that the user set fire, resolve or retract its alert?

Accuracy is that of the last `over_labels` labels in the order of the journal, whenever their
predictions were made; a correction amends the label that it corrects as long as that is one of
them. The alert fires when that many labels are there and their accuracy lies below the floor. It
resolves when accuracy has been at or above the floor at each of the last `over_labels` / 2 labels:
a model that is right 87 % of the time would cross a floor of .85 over 200 labels 59 times in 10,000
labels, and fires 15 times this way.

A floor has no evidence and no budget: it says what was counted, and its summary says `threshold`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from driftline.core.monitoring import sentences
from driftline.core.monitoring.alert_life import AlertLife, Evidence, Moment
from driftline.core.monitoring.last_labels import LastLabels
from driftline.core.monitoring.records import Labelled
from driftline_schemas.alerts import Alert
from driftline_schemas.journal import Correction, Joined
from driftline_schemas.spec import Floor


@dataclass(slots=True)
class FloorAlerts:
    """One floor of one model, and its alert."""

    life: AlertLife
    floor: Floor
    _last: LastLabels
    _opening: LastLabels | None = None  # while the alert is open: those that fired it, as amended
    _steady: int = 0  # labels in a row, up to the last one, at which it was not below

    @classmethod
    def of(cls, model: str, floor: Floor) -> Self:
        """No label yet."""
        life = AlertLife(model, "floor", "error", scope=floor.metric)
        return cls(life, floor, LastLabels(floor.over_labels))

    def step(self, moment: Moment, joined: Joined | Labelled) -> Alert | None:
        """Take in a record whose prediction and label are both classes."""
        self._last.add(joined.label_tp, is_wrong=joined.prediction != joined.label)
        if not self._last.is_full:
            return None
        if self._is_below(self._last):
            return self._below(moment, joined)
        self._steady += 1
        if self.life.alert is None or 2 * self._steady < self.floor.over_labels:
            return None
        self._opening = None
        summary = sentences.floor_is_kept(self._last.accuracy, self.floor, self._steady)
        return self.life.resolve(moment, self._evidence(self._last), summary=summary)

    def correct(self, moment: Moment, record: Correction) -> Alert | None:
        """Amend a label; the new one is a class as well.

        If it shows that those that fired the alert were not below the floor, and the last ones are
        not below it either, the alert is retracted. If the last ones are, there is an incident,
        though it began later than was thought: it goes on, and will resolve.
        """
        is_wrong = record.prediction != record.label
        self._last.amend(record.corrects, is_wrong=is_wrong)
        opening = self._opening
        was_opening = opening is not None and opening.amend(record.corrects, is_wrong=is_wrong)
        if not self._last.is_full:
            return None
        if self._is_below(self._last):
            return self._below(moment, record)
        if opening is None or not was_opening or self._is_below(opening):
            return None
        self._opening = None
        summary = sentences.floor_was_kept(opening.accuracy, self.floor)
        return self.life.retract(moment, self._evidence(opening), summary=summary)

    def _below(self, moment: Moment, record: Joined | Labelled | Correction) -> Alert | None:
        self._steady = 0
        if self.life.alert is not None:
            return None
        self._opening = self._last.copy()
        summary = sentences.below_floor(self._last.accuracy, self.floor)
        evidence, version = self._evidence(self._last), record.model_version
        return self.life.fire(moment, record.label_ts, version, evidence, summary=summary)

    def _is_below(self, labels: LastLabels) -> bool:
        return labels.accuracy < self.floor.below

    def _evidence(self, labels: LastLabels) -> Evidence:
        value, below = labels.accuracy, self.floor.below
        return Evidence(self.floor.over_labels, value, below, below - value)

    def snapshot(self) -> dict[str, Any]:
        """The state as JSON types."""
        return {
            "alert": self.life.snapshot(),
            "last": self._last.snapshot(),
            "opening": None if self._opening is None else self._opening.snapshot(),
            "steady": self._steady,
        }

    def take_up(self, snapshot: Mapping[str, Any]) -> None:
        """Go on where another of the same floor gave this `snapshot`."""
        opening, size = snapshot["opening"], self.floor.over_labels
        self.life.take_up(snapshot["alert"])
        self._last = LastLabels.restore(size, snapshot["last"])
        self._opening = None if opening is None else LastLabels.restore(size, opening)
        self._steady = snapshot["steady"]
