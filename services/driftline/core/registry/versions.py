"""What follows from a version that a learner made, and from what its gate found? Pure."""

from typing import Any

from driftline.core.registry.decision import Decision, Moment, accepted, read_body, refused
from driftline.core.registry.models import ModelState
from driftline.core.registry.state import RegistryState
from driftline.core.registry.version_list import Version
from driftline_schemas.control import SpecBody
from driftline_schemas.registry import (
    GateEvaluated,
    ModelUpdated,
    RegistryCommand,
    TestSetResult,
)


def model_updated(state: RegistryState, command: RegistryCommand, _moment: Moment) -> Decision:
    """Register a version; it serves at once if it is the champion's first, or is followed."""
    recipe = read_body(ModelUpdated, command)
    model = state.models.get(recipe.model)
    if model is None or model.spec is None:
        return refused(command, f"no spec of {recipe.model} is applied")
    if recipe.spec_hash not in model.spec_hashes:
        return refused(command, f"no spec {recipe.spec_hash} of {recipe.model} was ever applied")
    if (known := model.versions.get(recipe.version_id)) is not None:
        same = known.recipe.state_hash == recipe.state_hash
        but = "" if same else ", and with another state: its recipe is not the whole truth"
        return refused(command, f"{known.name} is this version already{but}")
    body: dict[str, Any] = {
        **recipe.model_dump(mode="json", exclude_none=True),
        "number": model.numbers.get(recipe.pipeline, 0) + 1,
        "lineage": _lineage(model, recipe),
    }
    version = Version.of(-1, body)
    body["name"] = version.name
    if _serves_at_once(model.spec.body, model, version):
        body["deployed"] = model.deployment_of(version)
    return accepted(command, body)


def gate_evaluated(state: RegistryState, command: RegistryCommand, _moment: Moment) -> Decision:
    """Promote what is proven against the deployment that serves now; record a rejection by it. A
    refusal keeps the numbers."""
    gate = read_body(GateEvaluated, command)
    model = state.models.get(gate.model)
    if model is None or model.spec is None:
        return refused(command, f"no spec of {gate.model} is applied")
    body: dict[str, Any] = gate.model_dump(mode="json", exclude_none=True)
    if why := _undecided(gate) or _stale(model, gate):
        return refused(command, why, body)
    if gate.verdict == "reject":
        return accepted(command, body)
    version = model.find(gate.version_id)
    if version is None:
        return refused(command, f"version {gate.version_id} is not registered", body)
    if why := _not_proven(model.spec.body, gate) or _not_wanted(model, version):
        return refused(command, why, body)
    return accepted(command, {**body, "deployed": model.deployment_of(version)})


def _undecided(gate: GateEvaluated) -> str | None:
    if gate.verdict in ("promote", "reject"):
        return None
    return f"the verdict {gate.verdict} decides nothing"


def _stale(model: ModelState, gate: GateEvaluated) -> str | None:
    if gate.deployment_seq != model.deployment_seq:
        return (
            f"it was judged against deployment {gate.deployment_seq}, and deployment"
            f" {model.deployment_seq} serves now"
        )
    return None


def _not_wanted(model: ModelState, version: Version) -> str | None:
    if version.lineage in model.held:
        by = model.held[version.lineage].actor
        return f"lineage {version.lineage} is held (by {by}) until somebody lifts it"
    if model.deployed and model.deployed.body.version_id == version.version_id:
        return f"{version.name} serves already"
    return None


def _not_proven(body: SpecBody, gate: GateEvaluated) -> str | None:
    """The numbers must say what the verdict says."""
    wanted = body.spec.gate
    if gate.lower <= 0:
        return f"the lower bound {gate.lower:g} does not exceed 0"
    if gate.mean < wanted.least_gain:
        return f"the mean gain {gate.mean:g} is below the spec's least gain {wanted.least_gain:g}"
    return _not_passed(body, gate.test_set)


def _not_passed(body: SpecBody, tried: TestSetResult | None) -> str | None:
    """The specification's test set, not what a verdict says of it."""
    wanted = body.spec.test_set
    if wanted is None:
        return None  # whoever tried it on something else was not asked to
    file = (body.files or {}).get(wanted.file)
    if tried is None or file is None or tried.sha256 != file.sha256:
        return f"it was not tried on test set {wanted.file}"
    if wanted.floor is not None and tried.value < wanted.floor:
        return (
            f"on test set {wanted.file} its accuracy is {tried.value:g}, below the floor"
            f" {wanted.floor:g}"
        )
    return None


def _lineage(model: ModelState, recipe: ModelUpdated) -> str:
    """As its learner says, else its parent's; else it begins one, named after its pipeline."""
    if recipe.lineage is not None:
        return recipe.lineage
    parent = model.versions.get(recipe.parent) if recipe.parent else None
    if parent is not None:
        return parent.lineage
    number = model.numbers.get(recipe.pipeline, 0)
    return recipe.pipeline if number == 0 else f"{recipe.pipeline}@v{number + 1}"


def _serves_at_once(body: SpecBody, model: ModelState, version: Version) -> bool:
    """Versions of a former spec never do, unless the one in force left their pipeline alone; nor
    those of a lineage that is held, or that fail on the test set."""
    recipe = version.recipe
    if (recipe.spec_in_force or recipe.spec_hash) != body.spec_hash:
        return False
    if version.lineage in model.held or _not_passed(body, recipe.test_set):
        return False
    if model.deployed is None:
        return body.spec.champion == recipe.pipeline
    return body.spec.follow and model.deployed.body.lineage == version.lineage
