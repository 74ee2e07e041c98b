"""When do the errors of what is served fire or resolve their alert?

Errors are those that were recorded: prediction against label, in the order of the journal. All
versions of a model that is served outside are one lineage.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from driftline.core.drift.error_incident import ErrorIncident, Opened, Resolved
from driftline.core.monitoring import sentences
from driftline.core.monitoring.alert_life import AlertLife, Evidence, Moment
from driftline_schemas.alerts import Alert
from driftline_schemas.journal import Joined


@dataclass(slots=True)
class ErrorAlerts:
    """The error incident of one model and its alert."""

    life: AlertLife
    _incident: ErrorIncident

    @classmethod
    def of(cls, model: str) -> Self:
        """No incident yet."""
        return cls(AlertLife(model, "error", "critical"), ErrorIncident())

    def step(self, moment: Moment, joined: Joined) -> Alert | None:
        """Take in a joined record whose prediction and label are classes."""
        wrong = float(joined.prediction != joined.label)
        outcome = self._incident.step(wrong, joined.prediction_ts, joined.label_ts)
        match outcome:
            case Opened():
                return self.life.fire(
                    moment,
                    joined.label_ts,
                    joined.model_version,
                    self._evidence(outcome),
                    summary=sentences.accuracy_fell(outcome),
                )
            case Resolved():
                summary = sentences.accuracy_is_back(outcome)
                return self.life.resolve(moment, self._evidence(outcome), summary=summary)
        return None

    def _evidence(self, outcome: Opened | Resolved) -> Evidence:
        """Accuracy now, the one that counts as recovered, and the loss against before."""
        recovered = outcome.reference - self._incident.policy.margin
        return Evidence(outcome.n, outcome.value, recovered, outcome.reference - outcome.value)

    def snapshot(self) -> dict[str, Any]:
        """The state as JSON types."""
        return {"alert": self.life.snapshot(), "incident": self._incident.snapshot()}

    @classmethod
    def restore(cls, model: str, snapshot: Mapping[str, Any]) -> Self:
        """The state that `snapshot` gave. Raises ValueError if the detector's is damaged."""
        life = AlertLife.restore(model, "error", "critical", snapshot["alert"])
        return cls(life, ErrorIncident.restore(snapshot["incident"]))
