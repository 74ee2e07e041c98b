"""When do the errors of what is served fire or resolve their alert?

Errors are those that were recorded: prediction against label, in the order of the journal. All
versions of a model that is served outside are one lineage. A takeover ends no incident: it is over
when the errors of what serves are back, and then the alert says who took over.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from driftline.core.drift.error_incident import ErrorIncident, Opened, Resolved
from driftline.core.gates.errors import ErrorScale, class_error
from driftline.core.monitoring import sentences
from driftline.core.monitoring.alert_life import AlertLife, Evidence, Moment
from driftline.core.monitoring.error_reading import Reading
from driftline.core.monitoring.records import Labelled
from driftline_schemas.alerts import Alert
from driftline_schemas.journal import Joined


@dataclass(slots=True)
class ErrorAlerts:
    """The error incident of one model by one specification, and its alert."""

    life: AlertLife
    _incident: ErrorIncident
    _scale: ErrorScale = field(default_factory=ErrorScale)
    _lineage: str | None = None  # whose error opened the incident that is open

    @classmethod
    def of(cls, model: str) -> Self:
        """No incident yet."""
        return cls(AlertLife(model, "error", "critical"), ErrorIncident())

    def step(self, moment: Moment, joined: Joined | Labelled, lineage: str | None) -> Alert | None:
        """Take in a record whose prediction and label are both classes, or both numbers; `lineage`
        made the prediction."""
        error = self._error(joined)
        if error is None:
            return None
        outcome = self._incident.step(error, joined.prediction_ts, joined.label_ts)
        match outcome:
            case Opened():
                return self._open(moment, joined, outcome, lineage)
            case Resolved():
                takeover = sentences.took_over(lineage, self._lineage)
                margin = self._incident.policy.margin
                summary = sentences.error_is_back(outcome, self._reading, margin, takeover)
                return self.life.resolve(moment, self._evidence(outcome), summary=summary)
        return None

    def _error(self, joined: Joined | Labelled) -> float | None:
        """None for numbers while the first of them fix the scale."""
        prediction, label = joined.prediction, joined.label
        if isinstance(prediction, str) or isinstance(label, str):
            return class_error(prediction, label)
        self._scale.add(prediction, label)
        return self._scale.error(prediction, label)

    def _open(
        self, moment: Moment, joined: Joined | Labelled, opened: Opened, lineage: str | None
    ) -> Alert:
        self._lineage = lineage
        return self.life.fire(
            moment,
            joined.label_ts,
            joined.model_version,
            self._evidence(opened),
            summary=sentences.error_rose(opened, self._reading, lineage),
        )

    @property
    def _reading(self) -> Reading:
        return Reading(self._scale.scale)

    def _evidence(self, outcome: Opened | Resolved) -> Evidence:
        """The figure now, the one that counts as recovered, and by how much the mean error, in
        [0, 1] whatever the unit, is above that of before."""
        figure = self._reading.figure
        recovered = outcome.reference - self._incident.policy.margin
        before = outcome.before if isinstance(outcome, Opened) else outcome.reference
        effect = before - outcome.value
        return Evidence(outcome.n, figure(outcome.value), figure(recovered), effect)

    def snapshot(self) -> dict[str, Any]:
        """The state as JSON types."""
        return {
            "alert": self.life.snapshot(),
            "incident": self._incident.snapshot(),
            "scale": self._scale.snapshot(),
            "lineage": self._lineage,
        }

    @classmethod
    def restore(cls, model: str, snapshot: Mapping[str, Any]) -> Self:
        """The state that `snapshot` gave. Raises ValueError if the detector's is damaged."""
        return cls(
            AlertLife.restore(model, "error", "critical", snapshot["alert"]),
            ErrorIncident.restore(snapshot["incident"]),
            ErrorScale.restore(snapshot["scale"]),
            snapshot["lineage"],
        )
