"""What is made known of what the fold finds, and where?"""

from dataclasses import dataclass

import structlog

from driftline.core.learning.outcomes import GateDecided, IncidentStepped, Outcome, VersionMade
from driftline.learner.publishing import Publishing
from driftline.learner.trials import Trials
from driftline.runtime import metrics
from driftline.runtime.models.artifacts import ArtifactStore
from driftline_schemas.codec import encode
from driftline_schemas.registry import LearningMetric, RegistryCommand, TestSetResult
from driftline_schemas.topics import LEARNING_METRICS, REGISTRY_COMMANDS

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Telling:
    """Of one partition; `versions` is where their bytes lie."""

    publishing: Publishing
    trials: Trials
    versions: ArtifactStore
    prefix: str

    def tell(self, outcome: Outcome) -> None:
        """In the event loop: the order of calls is that of the records."""
        match outcome:
            case VersionMade():
                self._version(outcome)
            case GateDecided():
                metrics.GATE_VERDICTS.labels(outcome.gate.verdict).inc()
                self._gate(outcome)
            case LearningMetric():
                if outcome.verdict is not None:
                    metrics.GATE_VERDICTS.labels(outcome.verdict).inc()
                topic = LEARNING_METRICS.full_name(self.prefix)
                self.publishing.produce(topic, encode(outcome), key=outcome.model)
            case IncidentStepped():
                log.info(
                    "error_incident", model=outcome.model, at=outcome.offset,
                    what=type(outcome.outcome).__name__.lower(),
                )  # fmt: skip

    def _version(self, made: VersionMade) -> None:
        metrics.VERSIONS_MADE.inc()
        tried: list[TestSetResult | None] = []
        if (fixed_set := made.fixed_set) is not None:
            self.publishing.after(
                lambda: self.trials.result(fixed_set, made.payload, made.version.manifest),
                tried.append,
            )
        self.publishing.put(
            self.versions,
            made.payload,
            lambda artifact: self._command(made.command(artifact, *tried)),
        )

    def _gate(self, decided: GateDecided) -> None:
        if decided.fixed_set is None:
            self._command(decided.command)
        else:
            self.publishing.after(lambda: self.trials.promoted(decided), self._command)

    def _command(self, command: RegistryCommand) -> None:
        topic = REGISTRY_COMMANDS.full_name(self.prefix)
        self.publishing.produce(topic, encode(command), partition=0)
