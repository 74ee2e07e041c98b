"""What the registry knows of one model. Pure: changed by facts only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from sys import intern
from typing import Any, Final
from zlib import compress, decompress

from driftline.core.monitoring.lineages import ARCHIVED
from driftline.core.registry.promotions import Promotions
from driftline_schemas.codec import decode, encode
from driftline_schemas.commands import schedule_id
from driftline_schemas.control import DeployedBody, SpecBody
from driftline_schemas.registry import Fact, GateEvaluated, ModelUpdated
from driftline_schemas.spec import Schedule

PACKING: Final = 1  # zlib's quickest
MAX_GATES: Final = 100  # the newest gate facts kept, one for each challenger


@dataclass(frozen=True, slots=True)
class Version:
    """A registered version: what people call it, and its recipe. A model may have millions, and
    every reader of the registry knows all of them: so the recipe is packed."""

    version_id: str
    model: str
    pipeline: str
    number: int  # 1, 2, ... within its pipeline
    lineage: str
    fact_seq: int
    packed: bytes = field(repr=False)

    @classmethod
    def of(cls, recipe: ModelUpdated, number: int, lineage: str, fact_seq: int) -> "Version":
        """The version that a recipe gives."""
        return cls(
            recipe.version_id, intern(recipe.model), intern(recipe.pipeline), number,
            intern(lineage), fact_seq, compress(encode(recipe), PACKING),
        )  # fmt: skip

    @property
    def recipe(self) -> ModelUpdated:
        """What made it; unpacked for whoever asks."""
        return decode(ModelUpdated, decompress(self.packed))

    @property
    def name(self) -> str:
        """`model/pipeline/v12`."""
        return f"{self.model}/{self.pipeline}/v{self.number}"


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
    """What serves."""

    body: DeployedBody
    decided: Decided


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
    versions: dict[str, Version] = field(default_factory=dict)  # by version_id, oldest first
    numbers: dict[str, int] = field(default_factory=dict)  # pipeline -> number of its newest
    deployed: Deployed | None = None
    promotions: Promotions = field(default_factory=Promotions)
    held: dict[str, Decided] = field(default_factory=dict)  # by lineage
    schedules: dict[str, Planned] = field(default_factory=dict)  # by id
    gates: dict[str, Gate] = field(default_factory=dict)  # by challenger
    retrained_from: dict[int, str] = field(default_factory=dict)  # files' names, by fact

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
        if wanted in self.versions:
            return self.versions[wanted]
        pipeline, _, number = wanted.removeprefix(f"{self.name}/").rpartition("/v")
        if not 0 < len(number) < 19 or not (number.isascii() and number.isdigit()):
            return None
        return next(
            (
                version
                for version in self.versions.values()
                if (version.pipeline, version.number) == (pipeline, int(number))
            ),
            None,
        )

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
        known = any(version.lineage == wanted for version in self.versions.values())
        return wanted if known or wanted in self.held else None

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
        recipe = ModelUpdated.model_validate(fact.body)
        number = int(fact.body["number"])
        version = Version.of(recipe, number, fact.body["lineage"], fact.seq)
        self.versions[recipe.version_id] = version
        self.numbers[recipe.pipeline] = number

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
        self.deployed = Deployed(body, Decided.by(fact))

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
