"""What the registry knows of one model. Pure: changed by facts only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from driftline.core.monitoring.lineages import ARCHIVED
from driftline.core.registry.promotions import Promotions
from driftline.core.registry.version_list import Version, VersionList
from driftline_schemas.commands import schedule_id
from driftline_schemas.control import DeployedBody, SpecBody
from driftline_schemas.registry import Fact, GateEvaluated
from driftline_schemas.spec import Schedule

MAX_GATES: Final = 100  # the newest gate facts kept, one for each challenger


@dataclass(frozen=True, slots=True)
class Decided:
    """Who decided something, when and why."""

    fact_seq: int
    actor: str
    reason: str
    at: int  # ms

    @classmethod
    def by(cls, fact: Fact) -> "Decided":
        """What a fact says about itself."""
        return cls(fact.seq, fact.actor, fact.reason, fact.at)


@dataclass(frozen=True, slots=True)
class Spec:
    """The specification in force, and the bins that came with it."""

    body: SpecBody
    decided: Decided
    bins_id: str | None


@dataclass(frozen=True, slots=True)
class Deployed:
    """What serves; `version` None: it is not registered."""

    body: DeployedBody
    decided: Decided
    version: Version | None


@dataclass(frozen=True, slots=True)
class Gate:
    """A gate verdict that reached the registry, and what became of it."""

    evaluated: GateEvaluated
    decided: Decided


@dataclass(frozen=True, slots=True)
class Planned:
    """A schedule, and the moment (ms) up to which its runs are settled."""

    schedule: Schedule
    settled: int


@dataclass(slots=True)
class ModelState:
    """One model: its specification, versions, deployment, holds and schedules."""

    name: str
    spec: Spec | None = None
    spec_hashes: set[str] = field(default_factory=set)  # all that ever were in force
    versions: VersionList = field(default_factory=VersionList)
    numbers: dict[str, int] = field(default_factory=dict)  # pipeline -> number of its newest
    deployed: Deployed | None = None
    promotions: Promotions = field(init=False)
    held: dict[str, Decided] = field(default_factory=dict)  # by lineage
    schedules: dict[str, Planned] = field(default_factory=dict)  # by id
    gates: dict[str, Gate] = field(default_factory=dict)  # by challenger
    retrained_from: dict[int, str] = field(default_factory=dict)  # files' names, by fact

    def __post_init__(self) -> None:
        self.promotions = Promotions(self.versions)

    @property
    def deployment_seq(self) -> int:
        """The sequence of the current deployment; 0 before the first."""
        return self.deployed.body.deployment_seq if self.deployed else 0

    def deployment_of(self, version: Version) -> dict[str, Any]:
        """The body of the deployment that would let `version` serve next, as on the wire."""
        serving = self.deployed.body.version_id if self.deployed else None
        return DeployedBody(
            deployment_seq=self.deployment_seq + 1,
            version_id=version.version_id,
            lineage=version.lineage,
            previous=serving,
        ).model_dump(mode="json", exclude_none=True)

    def find(self, wanted: str) -> Version | None:
        """The version of this id, or of this name (`model/pipeline/v12`, or `pipeline/v12`)."""
        if (version := self.versions.get(wanted)) is not None:
            return version
        pipeline, _, number = wanted.removeprefix(f"{self.name}/").rpartition("/v")
        if not 0 < len(number) < 19 or not (number.isascii() and number.isdigit()):
            return None
        return self.versions.numbered(pipeline, int(number))

    def is_followed(self, version: Version) -> bool:
        """Whether newer versions of its lineage serve by themselves once this one does."""
        if self.spec is None or version.lineage in self.held or ARCHIVED in version.lineage:
            return False
        spec, pipeline = self.spec.body.spec, version.pipeline
        return spec.follow and pipeline in spec.pipelines and pipeline not in spec.train

    def lineage_of(self, wanted: str) -> str | None:
        """The lineage of this name, or that of a version."""
        if (version := self.find(wanted)) is not None:
            return version.lineage
        known = self.versions.has_lineage(wanted) or wanted in self.held
        return wanted if known else None

    def apply_spec(self, fact: Fact) -> None:
        """A specification comes into force; another one lifts all holds."""
        body = SpecBody.model_validate(fact.body)
        if self.spec is not None and self.spec.body.spec_hash != body.spec_hash:
            self.held.clear()
        bins: Mapping[str, Any] = fact.body.get("bins") or {}
        self.spec = Spec(body, Decided.by(fact), bins.get("bins_id"))
        self.spec_hashes.add(body.spec_hash)
        before = self.schedules
        plans = {schedule_id(schedule): schedule for schedule in body.spec.schedules}
        self.schedules = {
            name: Planned(schedule, before[name].settled if name in before else fact.at)
            for name, schedule in plans.items()
        }

    def register(self, fact: Fact) -> None:
        """A version joins the list."""
        version = self.versions.register(fact)
        self.numbers[version.pipeline] = version.number

    def retrain(self, fact: Fact) -> None:
        """Remember what the file was called; a version says its hash and this fact."""
        if isinstance(source := fact.body.get("from"), str):
            self.retrained_from[fact.seq] = source

    def deploy(self, fact: Fact) -> None:
        """Another version serves."""
        body = DeployedBody.model_validate(fact.body["deployed"])
        if fact.action == "rollback":
            self.promotions.take_back(body.version_id, body.lineage)
        else:
            self.promotions.promote(body.version_id, body.lineage)
        self.deployed = Deployed(body, Decided.by(fact), self.versions.get(body.version_id))

    def hear_gate(self, fact: Fact) -> None:
        """Keep the newest verdict on each challenger."""
        gate = Gate(GateEvaluated.model_validate(fact.body), Decided.by(fact))
        self.gates.pop(gate.evaluated.challenger, None)
        self.gates[gate.evaluated.challenger] = gate
        if len(self.gates) > MAX_GATES:
            del self.gates[next(iter(self.gates))]

    def settle(self, fact: Fact, due: int) -> None:
        """A schedule's run is asked for."""
        name = fact.body["schedule_id"]
        if name in self.schedules:
            self.schedules[name] = Planned(self.schedules[name].schedule, due)
