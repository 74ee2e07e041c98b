"""What do the labels say about what is served, and about those that would replace it?

Recorded errors step the error incident; an incident that opens begins a new test of the contest.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from driftline.core.drift.error_incident import ErrorIncident, Opened, Resolved
from driftline.core.durations import duration_ms
from driftline.core.gates.contest import Contest
from driftline.core.gates.errors import ErrorScale, class_error
from driftline.core.gates.gate import Gate
from driftline.core.gates.pairs import Pair, PairPolicy
from driftline.core.learning.features import is_learnable
from driftline.core.learning.labelled import Labelled
from driftline.core.learning.lineage import AsOf
from driftline_schemas.fields import Output
from driftline_schemas.journal import Joined
from driftline_schemas.spec import GateSpec, Task


def gate_of(spec: GateSpec) -> Gate:
    """The gate that a specification asks for."""
    return Gate(spec.least_gain, spec.min_pairs, spec.alpha)


def pairs_of(spec: GateSpec) -> PairPolicy:
    """Which pairs count."""
    return PairPolicy(
        duration_ms(spec.maturity) if spec.maturity else 0,
        (duration_ms(spec.block) or None) if spec.block else None,
    )


@dataclass(slots=True)
class Bench:
    """The contest of one model under one specification."""

    task: Task
    contest: Contest
    incident: ErrorIncident = field(default_factory=ErrorIncident)
    scale: ErrorScale = field(default_factory=ErrorScale)

    def is_conflict(self, record: Joined | Labelled) -> bool:
        """Whether prediction or label is a number where the task says class, or the reverse; or the
        label a number that nothing can learn."""
        prediction, label = record.prediction, record.label
        if self.task != "regression":
            return not (isinstance(prediction, str) and isinstance(label, str))
        return isinstance(prediction, str) or isinstance(label, str) or not is_learnable(label)

    def served(self, record: Joined | Labelled) -> tuple[float | None, Opened | Resolved | None]:
        """The error of what was served, None while regression has no scale; and what became of
        the incident."""
        if isinstance(record.prediction, str) or isinstance(record.label, str):
            error: float | None = class_error(record.prediction, record.label)
        else:
            self.scale.add(record.prediction, record.label)
            error = self.scale.error(record.prediction, record.label)
        if error is None:
            return None, None
        outcome = self.incident.step(error, record.prediction_ts, record.label_ts)
        if isinstance(outcome, Opened):
            self.contest.restart(record.label_ts)
        return error, outcome

    def pair(
        self, challenger: str, score: AsOf, served: float, record: Joined | Labelled, offset: int
    ) -> None:
        """A challenger's answer to a prediction of what is deployed."""
        error = self._error(score.prediction, record.label)
        if error is not None:
            number = score.version.number
            self.contest.add(challenger, Pair(record.prediction_ts, offset, number, served - error))

    def _error(self, prediction: Output | None, label: Output) -> float | None:
        if self.task != "regression":
            return class_error(prediction, label)
        if isinstance(prediction, str) or isinstance(label, str):
            return None
        return self.scale.error(prediction, label)

    def snapshot(self) -> dict[str, Any]:
        """The state as JSON types."""
        return {
            "contest": self.contest.snapshot(),
            "incident": self.incident.snapshot(),
            "scale": self.scale.snapshot(),
        }

    @classmethod
    def restore(cls, task: Task, gate: GateSpec, snapshot: Mapping[str, Any]) -> Self:
        """The state that `snapshot` gave. Raises ValueError if the detector's is damaged."""
        return cls(
            task,
            Contest.restore(gate_of(gate), pairs_of(gate), snapshot["contest"]),
            ErrorIncident.restore(snapshot["incident"]),
            ErrorScale.restore(snapshot["scale"]),
        )
