"""What is every scorer to serve? A fold over the registry and the deployments. No I/O."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pydantic import ValidationError

from driftline.core.fact_chain import follow
from driftline.core.registry.state import RegistryState
from driftline_schemas.codec import decode
from driftline_schemas.control import BinsBody, SpecBody
from driftline_schemas.registry import Deployment, Fact, ModelUpdated
from driftline_schemas.spec import ModelSpec
from driftline_schemas.topics import REGISTRY, Topic


class Contract(NamedTuple):
    """A specification, and the bins that came with it."""

    spec: ModelSpec
    bins: BinsBody | None


@dataclass(frozen=True, slots=True)
class VersionSpec:
    """All that is needed to serve a version; `contract` is that of its own recipe, which may be an
    earlier one than is in force."""

    name: str
    recipe: ModelUpdated
    contract: Contract

    @property
    def version_id(self) -> str:
        """The hash of the recipe."""
        return self.recipe.version_id


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is deployed for a model. `seq` 0: nothing yet; `version` None: not registered as far as
    was read; `fallback`: what a rollback would bring back."""

    model: str
    seq: int = 0
    version_id: str | None = None
    version: VersionSpec | None = None
    fallback: VersionSpec | None = None


@dataclass(slots=True)
class Deployments:
    """The fold. Its chain is checked; BrokenChainError from `take` ends its use."""

    registry: RegistryState = field(default_factory=RegistryState)
    _newest: dict[str, Deployment] = field(default_factory=dict)
    _contracts: dict[tuple[str, str], Contract] = field(default_factory=dict)  # by spec_hash
    _changed: set[str] = field(default_factory=set)

    def take(self, topic: Topic, raw: bytes | None) -> None:
        """Fold a record in. UnreadableEvent for a deployment that is none."""
        if topic is REGISTRY:
            self._take_fact(raw or b"")
            return
        deployment = decode(Deployment, raw)
        known = self._newest.get(deployment.model)
        if known is None or deployment.seq > known.seq:
            self._newest[deployment.model] = deployment
            self._changed.add(deployment.model)

    def news(self) -> list[Wanted]:
        """The models about which something changed since the last call."""
        changed, self._changed = self._changed, set()
        return [self._wanted(model) for model in sorted(changed)]

    def _take_fact(self, raw: bytes) -> None:
        fact = follow(raw, self.registry.last)
        self.registry.apply(fact)
        if fact.outcome == "refused":
            return
        if fact.action == "apply_spec":
            self._keep(fact)
        elif "deployed" in fact.body or fact.action == "model_updated":
            self._changed.add(fact.body["model"])

    def _keep(self, fact: Fact) -> None:
        body = SpecBody.model_validate(fact.body)
        contract = Contract(body.spec, _bins(fact.body.get("bins")))
        self._contracts[body.spec.model, body.spec_hash] = contract
        self._changed.add(body.spec.model)

    def _wanted(self, name: str) -> Wanted:
        deployment, model = self._newest.get(name), self.registry.models.get(name)
        fallback = self._version(name, model.promotions.earlier()) if model else None
        champion = None if deployment is None else _champion(deployment)
        if deployment is None or champion is None:
            return Wanted(name, fallback=fallback)
        version = self._version(name, champion)
        return Wanted(name, deployment.seq, champion, version, fallback)

    def _version(self, name: str, version_id: str | None) -> VersionSpec | None:
        model = self.registry.models.get(name)
        known = model.versions.get(version_id) if model and version_id else None
        if known is None:
            return None
        contract = self._contracts.get((name, known.recipe.spec_hash))
        return None if contract is None else VersionSpec(known.name, known.recipe, contract)


def _champion(deployment: Deployment) -> str | None:
    return next((arm.version_id for arm in deployment.arms if arm.role == "champion"), None)


def _bins(recorded: Any) -> BinsBody | None:
    try:
        return None if recorded is None else BinsBody.model_validate(recorded)
    except ValidationError:  # the check has rows without them too
        return None
