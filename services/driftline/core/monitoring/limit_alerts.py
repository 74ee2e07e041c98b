"""What do the limits that a specification sets by hand say: its floors, and what it expects?"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from driftline.core.durations import duration_ms
from driftline.core.monitoring.alert_life import AlertLife, Moment
from driftline.core.monitoring.floor_alerts import FloorAlerts
from driftline.core.monitoring.records import Labelled
from driftline.core.monitoring.silence_alerts import Expected, SilenceAlerts
from driftline_schemas.alerts import Alert
from driftline_schemas.journal import Correction, Joined
from driftline_schemas.spec import Expect, ModelSpec


@dataclass(slots=True)
class LimitAlerts:
    """The limits of one model by one specification; none by default."""

    floors: list[FloorAlerts] = field(default_factory=list)
    silences: dict[Expected, SilenceAlerts] = field(default_factory=dict)

    @classmethod
    def of(cls, spec: ModelSpec) -> Self:
        """Nothing has come yet."""
        floors = [FloorAlerts.of(spec.model, floor) for floor in spec.watched_floors]
        expect = spec.expect or Expect()
        expected: dict[Expected, str | None] = {
            "no_predictions": expect.predictions_within,
            "no_labels": expect.labels_within,
        }
        silences = {
            check: SilenceAlerts.of(spec.model, check, duration_ms(within))
            for check, within in expected.items()
            if within is not None and duration_ms(within)  # of none an older release took
        }
        return cls(floors, silences)

    @property
    def lives(self) -> list[AlertLife]:
        """The alerts of all limits."""
        floors = [floor.life for floor in self.floors]
        return [*floors, *(silence.life for silence in self.silences.values())]

    def predicted(self, moment: Moment, model_version: str, n: int) -> list[Alert]:
        """Predictions were counted."""
        return self._heard("no_predictions", moment, model_version, n)

    def labelled(
        self, moment: Moment, record: Joined | Labelled | Correction, *, is_conflict: bool
    ) -> list[Alert]:
        """A label has come, the first of its prediction or another one. One in conflict with the
        spec is not scored."""
        heard = self._heard("no_labels", moment, record.model_version, 1)
        if is_conflict:
            return heard
        if isinstance(record, Correction):
            return heard + _known(floor.correct(moment, record) for floor in self.floors)
        return heard + _known(floor.step(moment, record) for floor in self.floors)

    def _heard(self, check: Expected, moment: Moment, model_version: str, n: int) -> list[Alert]:
        silence = self.silences.get(check)
        return [] if silence is None else _known([silence.hear(moment, model_version, n)])

    def advance(self, moment: Moment, clock: int) -> list[Alert]:
        """All input partitions have come to the time `clock` (ms)."""
        return _known(silence.advance(moment, clock) for silence in self.silences.values())

    def snapshot(self) -> dict[str, Any]:
        """The state as JSON types."""
        return {
            "floors": [floor.snapshot() for floor in self.floors],
            "silences": {check: alerts.snapshot() for check, alerts in self.silences.items()},
        }

    @classmethod
    def restore(cls, spec: ModelSpec, snapshot: Mapping[str, Any]) -> Self:
        """The state that `snapshot` gave by the same spec."""
        limits = cls.of(spec)
        for floor, state in zip(limits.floors, snapshot["floors"], strict=True):
            floor.take_up(state)
        for check, silence in limits.silences.items():
            silence.take_up(snapshot["silences"][check])
        return limits


def _known(alerts: Iterable[Alert | None]) -> list[Alert]:
    return [alert for alert in alerts if alert is not None]
