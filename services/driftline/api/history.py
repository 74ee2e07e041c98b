"""What has become of each model: the bounded histories that the page draws."""

from array import array
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from math import nan
from typing import Final, TypeVar

import orjson

from driftline.core.registry.state import model_of
from driftline_schemas.alerts import Alert
from driftline_schemas.control import BinsBody, DeployedBody
from driftline_schemas.registry import Fact, GateEvaluated, LearningMetric
from driftline_schemas.verdicts import Outcome, Verdict

V = TypeVar("V")

MODELS: Final = 1_000  # with findings; the one that was judged longest ago goes
WINDOWS: Final = 240  # of each model and target, with their performance
DATA_WINDOWS: Final = 60  # likewise, with every feature: nine bytes each
CHALLENGERS: Final = 20
GATE_POINTS: Final = 240  # of each challenger
DEEDS: Final = 200  # decisions of each model, versions that are merely registered left out
DEPLOYMENTS: Final = 300
REVISIONS: Final = 30  # of each alert, beside its first
OUTCOMES: Final[tuple[Outcome, ...]] = ("drifted", "cannot_evaluate", "not_enough_data", "ok")


@dataclass(frozen=True, slots=True)
class Scored:
    """How well a model did in a window (ms, by the time of the predictions)."""

    start: int
    end: int
    n: int
    metric: str
    value: float | None
    coverage: float
    version: str
    reason: str
    revision: int


@dataclass(frozen=True, slots=True)
class Compared:
    """What the data check said of each scope in a window; NaN where it could not ask."""

    start: int
    end: int
    n: int
    scopes: tuple[str, ...]
    outcomes: bytes  # indexes into OUTCOMES
    effects: "array[float]"


@dataclass(frozen=True, slots=True)
class GatePoint:
    """The evidence on a challenger after `n` pairs of test number `test`."""

    n: int
    test: int
    mean: float
    lower: float | None
    upper: float | None
    verdict: str


@dataclass(frozen=True, slots=True)
class Deployment:
    """Another version began to serve; `changes_lineage`: it follows on no version of its own."""

    at: int
    version_id: str
    lineage: str
    changes_lineage: bool
    fact: Fact


@dataclass(frozen=True, slots=True)
class Revised:
    """One revision of an alert."""

    revision: int
    at: int
    status: str
    summary: str
    reason: str | None


@dataclass(slots=True)
class Findings:
    """What monitor and learner said about a model; by target, then by verdict id."""

    scored: dict[str, OrderedDict[str, Scored]] = field(default_factory=dict)
    compared: dict[str, OrderedDict[str, Compared]] = field(default_factory=dict)
    newest: dict[str, Verdict] = field(default_factory=dict)  # of the data check, by target
    gates: OrderedDict[str, deque[GatePoint]] = field(default_factory=OrderedDict)


@dataclass(slots=True)
class Decisions:
    """What the registry decided about a model."""

    bins: bytes | None = None  # JSON; the reference that is in force
    deployments: deque[Deployment] = field(default_factory=lambda: deque(maxlen=DEPLOYMENTS))
    deeds: deque[Fact] = field(default_factory=lambda: deque(maxlen=DEEDS))

    def reference(self) -> BinsBody | None:
        """The bins of the reference and its counts."""
        return BinsBody.model_validate(orjson.loads(self.bins)) if self.bins else None


@dataclass(slots=True)
class History:
    """Fed by the folds with what they have read; revisions that are older change nothing."""

    findings: OrderedDict[str, Findings] = field(default_factory=OrderedDict)
    decisions: dict[str, Decisions] = field(default_factory=dict)
    revisions: dict[str, deque[Revised]] = field(default_factory=dict)  # by alert
    first: dict[str, Revised] = field(default_factory=dict)  # by alert

    def of(self, model: str) -> Findings:
        """The findings on a model, none if there are none."""
        return self.findings.get(model, Findings())

    def decided(self, model: str) -> Decisions:
        """The decisions on a model, none if there are none."""
        return self.decisions.get(model, Decisions())

    def verdict(self, verdict: Verdict) -> None:
        """A window was judged, or judged anew."""
        found, target = self._findings(verdict.model), str(verdict.target)
        if verdict.check == "data":
            series = found.compared.setdefault(target, OrderedDict())
            _keep(series, verdict.verdict_id, _compared(verdict, series), DATA_WINDOWS)
            before = found.newest.get(target)
            if before is None or verdict.window.end >= before.window.end:
                found.newest[target] = verdict
        elif verdict.check == "performance" and verdict.results:
            windows = found.scored.setdefault(target, OrderedDict())
            known = windows.get(verdict.verdict_id)
            if known is None or verdict.revision >= known.revision:
                _keep(windows, verdict.verdict_id, _scored(verdict), WINDOWS)

    def alert(self, alert: Alert) -> None:
        """An alert began, or another revision of it came; the same one may come twice."""
        said = Revised(alert.revision, alert.at, alert.status, alert.summary, alert.reason)
        if (known := self.revisions.get(alert.alert_id)) is None:
            known = self.revisions[alert.alert_id] = deque(maxlen=REVISIONS)
            self.first[alert.alert_id] = said
        elif known[-1].revision == said.revision:
            known.pop()
        known.append(said)

    def forget(self, alert_id: str) -> None:
        """The alert is not known any more."""
        self.revisions.pop(alert_id, None)
        self.first.pop(alert_id, None)

    def metric(self, metric: LearningMetric) -> None:
        """The gate looked at a challenger."""
        numbers = metric.metrics
        if metric.kind != "gate" or metric.verdict is None or "mean" not in numbers:
            return
        point = GatePoint(
            n=int(numbers.get("n", 0)),
            test=int(numbers.get("j", 1)),
            mean=numbers["mean"],
            lower=numbers.get("lower"),
            upper=numbers.get("upper"),
            verdict=metric.verdict,
        )
        self._gate(metric.model, metric.pipeline, point)

    def fact(self, fact: Fact) -> None:
        """The registry decided; a refusal is remembered as a deed only."""
        if fact.action == "installation":
            return
        name = fact.body.get("model") if fact.outcome == "refused" else model_of(fact)
        if not isinstance(name, str) or (fact.outcome == "refused" and name not in self.decisions):
            return
        decided = self.decisions.setdefault(name, Decisions())
        noted = without(fact, "bins", "spec")
        if fact.action not in ("model_updated", "schedule"):
            decided.deeds.append(noted)
        if fact.outcome == "accepted":
            self._accepted(name, decided, fact, noted)

    def _accepted(self, name: str, decided: Decisions, fact: Fact, noted: Fact) -> None:
        if fact.action == "apply_spec":
            bins = fact.body.get("bins")
            decided.bins = orjson.dumps(bins) if bins else None
        elif fact.action == "gate_evaluated":
            gate = GateEvaluated.model_validate(fact.body)
            point = GatePoint(gate.n, gate.j, gate.mean, gate.lower, gate.upper, gate.verdict)
            self._gate(name, gate.challenger, point)
        if "deployed" in fact.body:
            body = DeployedBody.model_validate(fact.body["deployed"])
            before = decided.deployments[-1].lineage if decided.deployments else None
            changes = before != body.lineage
            decided.deployments.append(
                Deployment(fact.at, body.version_id, body.lineage, changes, noted)
            )

    def _findings(self, model: str) -> Findings:
        found = self.findings.setdefault(model, Findings())
        self.findings.move_to_end(model)
        while len(self.findings) > MODELS:
            self.findings.popitem(last=False)
        return found

    def _gate(self, model: str, challenger: str, point: GatePoint) -> None:
        gates = self._findings(model).gates
        gates.setdefault(challenger, deque(maxlen=GATE_POINTS)).append(point)
        gates.move_to_end(challenger)
        while len(gates) > CHALLENGERS:
            gates.popitem(last=False)


def without(fact: Fact, *parts: str) -> Fact:
    """The fact without these parts of its body, which are large."""
    if not any(part in fact.body for part in parts):
        return fact
    small = {key: part for key, part in fact.body.items() if key not in parts}
    return fact.model_copy(update={"body": small})


def _scored(verdict: Verdict) -> Scored:
    result = verdict.results[0]
    return Scored(
        start=verdict.window.start,
        end=verdict.window.end,
        n=verdict.window.n,
        metric=result.scope,
        value=result.value,
        coverage=verdict.coverage or 0.0,
        version=verdict.model_version,
        reason=result.reason,
        revision=verdict.revision,
    )


def _compared(verdict: Verdict, series: OrderedDict[str, Compared]) -> Compared:
    scopes = tuple(result.scope for result in verdict.results)
    before = next(reversed(series.values()), None)
    return Compared(
        start=verdict.window.start,
        end=verdict.window.end,
        n=verdict.window.n,
        scopes=before.scopes if before is not None and before.scopes == scopes else scopes,
        outcomes=bytes(OUTCOMES.index(result.outcome) for result in verdict.results),
        effects=array("d", [nan if r.effect is None else r.effect for r in verdict.results]),
    )


def _keep(kept: OrderedDict[str, V], key: str, value: V, most: int) -> None:
    """A new one goes last, an old one keeps its place."""
    kept[key] = value
    while len(kept) > most:
        kept.popitem(last=False)
