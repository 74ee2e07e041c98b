"""What is every scorer to serve? A fold over the registry. No I/O.

The records of `deployments` say the same without its chain: whoever can write there could have
anything served, or nothing any more.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pydantic import ValidationError

from driftline.core.fact_chain import follow
from driftline.core.registry.models import ModelState
from driftline.core.registry.state import RegistryState
from driftline_schemas.control import BinsBody, SpecBody
from driftline_schemas.registry import Fact, ModelUpdated
from driftline_schemas.spec import ModelSpec


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
    """What is deployed for a model. `seq` 0: nothing yet; `fallback`: what a rollback would bring
    back; `back`: the newest deployment that a rollback made; `outside`: nothing is to be deployed.
    """

    model: str
    seq: int = 0
    version_id: str | None = None
    version: VersionSpec | None = None
    fallback: VersionSpec | None = None
    back: int = 0
    outside: bool = False


@dataclass(slots=True)
class Deployments:
    """The fold. Its chain is checked; BrokenChainError from `take` ends its use."""

    registry: RegistryState = field(default_factory=RegistryState)
    _back: dict[str, int] = field(default_factory=dict)  # by model
    _contracts: dict[tuple[str, str], Contract] = field(default_factory=dict)  # by spec_hash
    _changed: set[str] = field(default_factory=set)

    def take(self, raw: bytes) -> None:
        """Fold a fact in."""
        fact = follow(raw, self.registry.last)
        self.registry.apply(fact)
        if fact.outcome == "refused":
            return
        if fact.action == "apply_spec":
            self._keep(fact)
        elif "deployed" in fact.body or fact.action == "model_updated":
            self._changed.add(fact.body["model"])
        if fact.action == "rollback":
            self._back[fact.body["model"]] = fact.body["deployed"]["deployment_seq"]

    def news(self) -> list[Wanted]:
        """The models about which something changed since the last call."""
        changed, self._changed = self._changed, set()
        return [self._wanted(model) for model in sorted(changed)]

    def _keep(self, fact: Fact) -> None:
        body = SpecBody.model_validate(fact.body)
        contract = Contract(body.spec, _bins(fact.body.get("bins")))
        self._contracts[body.spec.model, body.spec_hash] = contract
        self._changed.add(body.spec.model)

    def _wanted(self, name: str) -> Wanted:
        model = self.registry.models[name]
        fallback = self._version(model, model.promotions.earlier())
        if model.deployed is None:
            return Wanted(name, fallback=fallback, outside=_is_outside(model))
        seq, champion = model.deployment_seq, model.deployed.body.version_id
        version = self._version(model, champion)
        return Wanted(name, seq, champion, version, fallback, self._back.get(name, 0))

    def _version(self, model: ModelState, version_id: str | None) -> VersionSpec | None:
        known = model.versions.get(version_id) if version_id else None
        if known is None:
            return None
        recipe = known.recipe
        contract = self._contracts.get((model.name, recipe.spec_hash))
        return None if contract is None else VersionSpec(known.name, recipe, contract)


def _is_outside(model: ModelState) -> bool:
    return model.spec is not None and model.spec.body.spec.champion is None


def _bins(recorded: Any) -> BinsBody | None:
    try:
        return None if recorded is None else BinsBody.model_validate(recorded)
    except ValidationError:  # the check has rows without them too
        return None
