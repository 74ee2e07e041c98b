"""What the API knows: the topics that it reads, folded in memory and bounded."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

import structlog

from driftline.api.history import History, without
from driftline.core.fact_chain import BrokenChainError, follow
from driftline.core.registry.confirmations import Confirmations, confirmations
from driftline.core.registry.state import RegistryState
from driftline.runtime import metrics
from driftline_schemas.alerts import Alert
from driftline_schemas.codec import UnreadableEvent, decode
from driftline_schemas.registry import Deployment, Fact, LearningMetric, ScorerStatus
from driftline_schemas.topics import (
    ALERTS,
    DEPLOYMENTS,
    LEARNING_METRICS,
    REGISTRY,
    SCORER_STATUS,
    VERDICTS,
    Topic,
)
from driftline_schemas.verdicts import Verdict

log = structlog.get_logger(__name__)

NewestMetrics = OrderedDict[tuple[str, str], LearningMetric]  # by pipeline and kind

K = TypeVar("K")
V = TypeVar("V")

FACTS: Final = 10_000  # the newest, for those who ask what became of a command
VERDICTS_PER_MODEL: Final = 1_000
RESULTS_PER_MODEL: Final = 10_000  # in those verdicts: a wide model has fewer of them
MODELS: Final = 1_000  # with verdicts (or metrics); the one that was judged longest ago goes
ALERTS_KEPT: Final = 1_000
SCORERS: Final = 1_000
METRICS_PER_MODEL: Final = 100  # the newest of each pipeline and kind
TAIL: Final = 10_000  # records per partition of what is not read from its start
OPEN: Final = ("firing", "worse")
# Topic -> whether it is read from its start.
READ: Final[Mapping[Topic, bool]] = {
    REGISTRY: True, DEPLOYMENTS: True, SCORER_STATUS: True, VERDICTS: False, ALERTS: False,
    LEARNING_METRICS: False,
}  # fmt: skip


@dataclass(slots=True)
class NewestVerdicts:
    """The newest verdicts of a model, in the order in which they were revised last."""

    _kept: OrderedDict[str, Verdict] = field(default_factory=OrderedDict)
    _results: int = 0

    def take(self, verdict: Verdict) -> None:
        """An older revision than the one that is known changes nothing."""
        before = self._kept.get(verdict.verdict_id)
        if before is not None and before.revision > verdict.revision:
            return
        self._results += len(verdict.results) - (len(before.results) if before else 0)
        self._kept[verdict.verdict_id] = verdict
        self._kept.move_to_end(verdict.verdict_id)
        while len(self._kept) > VERDICTS_PER_MODEL or (
            self._results > RESULTS_PER_MODEL and len(self._kept) > 1
        ):
            _, gone = self._kept.popitem(last=False)
            self._results -= len(gone.results)

    def values(self) -> Iterable[Verdict]:
        """The one that was revised last comes last."""
        return self._kept.values()


@dataclass(slots=True)
class Folds:
    """The state of each topic; `not_ready` is the sentence that says what is missing."""

    not_ready: str | None = "the registry is not read yet"
    registry: RegistryState = field(default_factory=RegistryState)
    facts: OrderedDict[str, Fact] = field(default_factory=OrderedDict)  # by command_id
    deployments: dict[str, Deployment] = field(default_factory=dict)
    verdicts: OrderedDict[str, NewestVerdicts] = field(default_factory=OrderedDict)
    alerts: OrderedDict[str, Alert] = field(default_factory=OrderedDict)
    scorers: OrderedDict[str, ScorerStatus] = field(default_factory=OrderedDict)
    metrics: OrderedDict[str, NewestMetrics] = field(default_factory=OrderedDict)
    history: History = field(default_factory=History)
    changes: int = 0  # rises with everything that a page may show
    damage: str | None = None
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, topic: Topic, raw: bytes | None) -> None:
        """Fold a record in; one that cannot be read is passed over."""
        if topic is REGISTRY:
            self._fact(raw or b"")
            self.changes += 1
            return
        try:
            self._event(topic, raw)
        except UnreadableEvent as error:
            log.warning("unreadable", topic=topic.name, reason=str(error))

    def notify(self) -> None:
        """Wake those who wait for a fact."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def decided(self, command_id: str, seconds: float) -> Fact | None:
        """The fact that the command became; None if there is none within so long."""
        try:
            async with asyncio.timeout(seconds):
                while (fact := self.facts.get(command_id)) is None:
                    await self._changed.wait()
                return fact
        except TimeoutError:
            return None

    def learned(self, model: str) -> list[LearningMetric]:
        """What the learner said last about each pipeline of the model."""
        return list(self.metrics.get(model, {}).values())

    def confirmations(self, model: str, now: int) -> Confirmations:
        """What the scorers say about what is deployed, at `now` (ms)."""
        known = self.registry.models.get(model)
        if known is None or known.deployed is None:
            return Confirmations()
        return confirmations(self.scorers.values(), model, known.deployed.body, now)

    def _fact(self, raw: bytes) -> None:
        if self.damage is not None:
            return
        try:
            fact = follow(raw, self.registry.last)
            self.registry.apply(fact)
        except BrokenChainError as error:
            self.damage = f"the registry is damaged: {error}"
            metrics.REGISTRY_DAMAGED.set(1)
            log.error("registry_damaged", reason=str(error))
            return
        self.history.fact(fact)
        _newest(self.facts, fact.command_id, without(fact, "bins"), FACTS)

    def _event(self, topic: Topic, raw: bytes | None) -> None:
        if topic is DEPLOYMENTS:
            deployment = decode(Deployment, raw)
            before = self.deployments.get(deployment.model)
            if before is None or deployment.seq > before.seq:
                self.deployments[deployment.model] = deployment
        elif topic is VERDICTS:
            self._verdict(decode(Verdict, raw))
        elif topic is ALERTS:
            self._alert(decode(Alert, raw))
        elif topic is LEARNING_METRICS:
            self._metric(decode(LearningMetric, raw))
        elif raw is not None:
            self._scorer(decode(ScorerStatus, raw))
            return
        self.changes += 1

    def _verdict(self, verdict: Verdict) -> None:
        of_model = self.verdicts.get(verdict.model, NewestVerdicts())
        of_model.take(verdict)
        _newest(self.verdicts, verdict.model, of_model, MODELS)
        self.history.verdict(verdict)

    def _alert(self, alert: Alert) -> None:
        """Of too many the first that are over go; those that are open only if all are."""
        known = self.alerts.get(alert.alert_id)
        if known is not None and alert.revision < known.revision:
            return
        self.alerts[alert.alert_id] = alert
        self.alerts.move_to_end(alert.alert_id)
        self.history.alert(alert)
        while len(self.alerts) > ALERTS_KEPT:
            over = (name for name, each in self.alerts.items() if each.status not in OPEN)
            gone = next(over, None) or next(iter(self.alerts))
            del self.alerts[gone]
            self.history.forget(gone)

    def _metric(self, metric: LearningMetric) -> None:
        """A learner that was killed says again what it said last."""
        of_model = self.metrics.get(metric.model, OrderedDict())
        about = (metric.pipeline, metric.kind)
        before = of_model.get(about)
        if before is not None and metric.at_offset < before.at_offset:
            return
        _newest(of_model, about, metric, METRICS_PER_MODEL)
        _newest(self.metrics, metric.model, of_model, MODELS)
        if before is None or metric.at_offset > before.at_offset:
            self.history.metric(metric)

    def _scorer(self, status: ScorerStatus) -> None:
        """One that says the same again changes nothing that is shown."""
        before = self.scorers.get(status.scorer_id)
        _newest(self.scorers, status.scorer_id, status, SCORERS)
        if before is None or (before.versions, before.seqs, before.signed_off) != (
            status.versions, status.seqs, status.signed_off,
        ):  # fmt: skip
            self.changes += 1


def _newest(kept: OrderedDict[K, V], key: K, value: V, most: int) -> None:
    """Put it last; the first go when there are too many."""
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > most:
        kept.popitem(last=False)
