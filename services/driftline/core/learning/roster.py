"""Which lineages does a model have under its specification, from their beginning to their end?"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from driftline.core.learning.entrants import Entrant, archived, superfluous
from driftline.core.learning.features import FeatureSchema
from driftline.core.learning.fixed_set import FixedSet
from driftline.core.learning.lineage import Lineage, LineagePolicy
from driftline.core.learning.materials import REFUSALS, Failure, ModelNeed
from driftline.core.learning.outcomes import VersionMade, metric
from driftline.core.learning.plans import Plan, plans_of
from driftline.core.learning.surroundings import Surroundings
from driftline.core.learning.versions import Dumped, Recipe, Version
from driftline_schemas.control import SpecBody
from driftline_schemas.registry import LearningMetric
from driftline_schemas.spec import ModelSpec


class Place(NamedTuple):
    """A record of the journal: its offset, the time (ms) of the log there, and how many labels of
    the model came before."""

    offset: int
    time: int
    labels: int


Made = list[VersionMade | LearningMetric]


@dataclass(slots=True)
class Roster:
    """The lineages by name, in the order in which they began. `broken`: pipelines that could not
    begin, and why."""

    model: str
    around: Surroundings
    body: SpecBody | None = None
    plans: Mapping[str, Plan] = field(default_factory=dict)
    schema: FeatureSchema = field(default_factory=FeatureSchema)  # what all its pipelines see
    entrants: dict[str, Entrant] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    _begun: set[str] = field(default_factory=set)  # pipelines that ever began
    _is_upgraded: bool = False  # restored by other code, or elsewhere, than it was saved by

    @property
    def fixed_set(self) -> FixedSet | None:
        """What its versions are tried on."""
        return FixedSet.of(self.body) if self.body else None

    @property
    def spec(self) -> ModelSpec:
        """The one in force. There is nothing to learn before the first."""
        assert self.body is not None  # noqa: S101 - see above
        return self.body.spec

    def renew(self, body: SpecBody, seq: int, place: Place) -> Made:
        """Another specification: pipelines that it leaves alone go on, with a version at this
        point of the journal; others end or begin."""
        self._obey(body)
        self.broken = {}
        for name in [name for name, e in self.entrants.items() if not self._goes_on(e)]:
            del self.entrants[name]
        made: Made = []
        for entrant in self.entrants.values():
            made += self._continued(entrant)
        for pipeline, plan in self.plans.items():
            if not self.of_pipeline(pipeline):
                name = f"{pipeline}@{seq}" if pipeline in self._begun else pipeline
                made += self.enter(plan, name, self._initial(plan), _origin(plan), place)
        return made

    def _obey(self, body: SpecBody) -> None:
        self.body, self.plans = body, plans_of(body)
        self.schema = FeatureSchema.of(body.spec.features)

    def is_unchanged(self, plan: Plan) -> bool:
        """Whether the specification in force has the same pipeline."""
        now = self.plans.get(plan.pipeline)
        return now is not None and now.definition == plan.definition

    def of_pipeline(self, pipeline: str) -> list[str]:
        """Its lineages, but for archived ones."""
        return [
            name
            for name, entrant in self.entrants.items()
            if entrant.pipeline == pipeline and not entrant.is_archived
        ]

    def _goes_on(self, entrant: Entrant) -> bool:
        plan = self.plans.get(entrant.pipeline)
        return plan is not None and plan.definition == entrant.definition

    def _continued(self, entrant: Entrant) -> list[VersionMade]:
        lineage = entrant.lineage
        lineage.policy = self.policy(learns=lineage.policy.learns)
        version = lineage.cut_unless_broken() if lineage.policy.learns else None
        if version is None or version.version_id == entrant.parent:
            return []
        return [self.registered(entrant, version)]

    def policy(self, *, learns: bool) -> LineagePolicy:
        """By which its lineages learn."""
        policy, spec = self.around.policy, self.spec
        return LineagePolicy(
            spec.task, policy.horizon_ms, spec.version_every, learns, policy.zero_delay_every
        )

    def _initial(self, plan: Plan) -> Dumped | Failure:
        """What a pipeline knows before the journal."""
        if plan.fault is not None:
            return Failure(plan.fault)
        if plan.source is not None:
            made = self.around.materials[ModelNeed(plan, plan.source).key]
            assert isinstance(made, Dumped | Failure)  # noqa: S101 - by its key
            return made
        try:
            return self.around.codec.dump(plan.build().model)
        except REFUSALS as error:
            return Failure(str(error))

    def enter(
        self,
        plan: Plan,
        name: str,
        made: Dumped | Failure,
        origin: Mapping[str, Any] | None,
        place: Place,
    ) -> Made:
        """A lineage that begins behind the record at `place`, and its version 0."""
        if isinstance(made, Failure):
            return [self._break(plan.pipeline, made.reason, place)]
        try:
            lineage = self._lineage(plan, made, origin, place)
        except Exception as error:  # noqa: BLE001 - one that cannot be written stops no other
            return [self._break(plan.pipeline, f"cannot begin: {error!r}", place)]
        entrant = self.entrants[name] = Entrant(name, plan.definition, lineage)
        self._begun.add(plan.pipeline)
        return [self.registered(entrant, lineage.shelf.newest)]

    def _lineage(
        self, plan: Plan, made: Dumped, origin: Mapping[str, Any] | None, place: Place
    ) -> Lineage:
        assert self.body is not None  # noqa: S101 - plans come from one
        policy, codec = self.around.policy, self.around.codec
        recipe = Recipe(
            self.model, plan.pipeline, self.body.spec_hash, plan.build().seeds, policy.code,
            policy.environment, origin,
        )  # fmt: skip
        return Lineage.begin(
            recipe,
            self.policy(learns=plan.learns),
            codec,
            codec.load(made.payload, made.manifest),
            offset=place.offset + 1,
            time=place.time,
        )

    def _break(self, pipeline: str, reason: str, place: Place) -> LearningMetric:
        self.broken[pipeline] = reason
        return self.says_broken(pipeline, reason, place)

    def says_broken(self, name: str, reason: str, place: Place) -> LearningMetric:
        """A word about what does not learn."""
        return metric("metric", self.model, name, place.offset, place.labels, {}, reason=reason)

    def archive(
        self, entrant: Entrant, version: Version, payload: bytes, seq: int, serving: str
    ) -> list[VersionMade]:
        """Keep what left when deployment `seq` took over; of former champions the newest two. A
        version that left before is kept already."""
        fork = archived(entrant, version, payload, seq, self.around.codec)
        if twin := self._archived_as(fork.lineage.shelf.newest.version_id):
            self.entrants[twin] = self.entrants.pop(twin)  # the newest again
            return []
        self.entrants[fork.name] = fork
        for name in superfluous(self.entrants, serving):
            del self.entrants[name]
        return [self.registered(fork, fork.lineage.shelf.newest)]

    def _archived_as(self, version_id: str) -> str | None:
        kept = ((name, e) for name, e in self.entrants.items() if e.is_archived)
        return next((n for n, e in kept if e.lineage.shelf.newest.version_id == version_id), None)

    def upgraded(self) -> list[VersionMade]:
        """After an upgrade of the code or its environment, before anything is learned: what was
        learned so far is a version of the former recipe, and its lineage goes on from that under a
        recipe that says so."""
        if not self._is_upgraded:
            return []
        self._is_upgraded = False
        policy, made = self.around.policy, []
        for entrant in self.entrants.values():
            lineage = entrant.lineage
            if not lineage.policy.learns or not self._is_former(lineage.recipe):
                continue
            version = lineage.cut_unless_broken()
            if version is None:
                continue
            if version.version_id != entrant.parent:
                made.append(self.registered(entrant, version))
            lineage.go_on_by(
                replace(
                    lineage.recipe, code=policy.code, environment=policy.environment,
                    origin={"version": version.version_id},
                )
            )  # fmt: skip
        return made

    def _is_former(self, recipe: Recipe) -> bool:
        policy = self.around.policy
        return (recipe.code, recipe.environment) != (policy.code, policy.environment)

    def registered(self, entrant: Entrant, version: Version) -> VersionMade:
        """A version to make known."""
        assert self.body is not None  # noqa: S101 - lineages come from one
        lineage = entrant.lineage
        made = VersionMade(
            entrant.name, self.body.spec_hash, entrant.parent, lineage.recipe, version,
            lineage.payload(version), lineage.figures.figures(), self.fixed_set,
        )  # fmt: skip
        entrant.parent = version.version_id
        return made

    def figures(self, place: Place) -> Iterator[LearningMetric]:
        """How good each lineage is."""
        for name, entrant in self.entrants.items():
            lineage = entrant.lineage
            numbers = {
                **lineage.figures.figures(),
                "too_early": lineage.figures.too_early,
                "learned": lineage.labels,
                "versions": lineage.shelf.newest.number + 1,
            }
            yield metric(
                "metric", self.model, name, place.offset, place.labels, numbers,
                reason=lineage.broken,
            )  # fmt: skip

    def version_digests(self) -> Iterator[str]:
        """sha256 of the versions that are kept."""
        for entrant in self.entrants.values():
            yield from (version.manifest.sha256 for version in entrant.lineage.shelf)

    def snapshot(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        """The state for JSON, and bytes by sha256."""
        entrants = [entrant.snapshot() for entrant in self.entrants.values()]
        artifacts = {digest: raw for _, kept in entrants for digest, raw in kept.items()}
        state = {
            "spec": self.body and self.body.model_dump(mode="json", exclude_none=True),
            "entrants": [row for row, _ in entrants],
            "broken": dict(self.broken),
            "begun": sorted(self._begun),
        }
        return state, artifacts

    @classmethod
    def restore(
        cls,
        model: str,
        around: Surroundings,
        state: Mapping[str, Any],
        artifacts: Mapping[str, bytes],
    ) -> "Roster":
        """The state that `snapshot` gave. Raises ValueError, and what the codec raises."""
        body = SpecBody.model_validate(state["spec"]) if state["spec"] else None
        roster = cls(model, around, broken=dict(state["broken"]))
        roster._begun = set(state["begun"])
        if body is not None:
            roster._obey(body)
            policy = roster.policy(learns=True)
            for row in state["entrants"]:
                entrant = Entrant.restore(row, policy, around.codec, artifacts)
                roster.entrants[entrant.name] = entrant
        recipes = [entrant.lineage.recipe for entrant in roster.entrants.values()]
        roster._is_upgraded = any(map(roster._is_former, recipes))
        return roster


def _origin(plan: Plan) -> dict[str, Any] | None:
    return None if plan.source is None else plan.source.origin
