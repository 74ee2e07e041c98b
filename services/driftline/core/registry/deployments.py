"""What people decide about what serves: promote, rollback, hold, lift. Pure."""

from driftline.core.registry.decision import Decision, Moment, accepted, read_body, refused
from driftline.core.registry.models import ModelState
from driftline.core.registry.state import RegistryState
from driftline.core.registry.version_list import Version
from driftline_schemas.commands import HoldBody, LiftBody, PromoteBody, RollbackBody
from driftline_schemas.control import DeployedBody
from driftline_schemas.registry import RegistryCommand


def promote(state: RegistryState, command: RegistryCommand, _moment: Moment) -> Decision:
    """A person lets a version serve, whatever its gate says; a hold of its lineage stays."""
    body = read_body(PromoteBody, command)
    model = state.models.get(body.model)
    if model is None:
        return refused(command, f"no spec of {body.model} is applied")
    version = model.find(body.version)
    if version is None:
        return refused(command, f"{body.model} has no version {body.version}")
    if why := _stale(model, command) or _serving(model, version):
        return refused(command, why)
    named = {"model": body.model, "name": version.name}
    return accepted(command, {**named, "deployed": model.deployment_of(version)})


def rollback(state: RegistryState, command: RegistryCommand, _moment: Moment) -> Decision:
    """What served before serves again; the lineage that it replaces is held."""
    body = read_body(RollbackBody, command)
    model = state.models.get(body.model)
    if model is None or model.deployed is None:
        return refused(command, f"{body.model} is not deployed")
    wanted = body.to or model.promotions.earlier()
    if wanted is None:
        return refused(command, _no_earlier(model, model.deployed.body))
    version = model.find(wanted)
    if version is None:
        return refused(command, f"{body.model} has no version {wanted}")
    if not model.promotions.has_served(version.version_id):
        return refused(command, f"{version.name} never served: promote it instead")
    if why := _stale(model, command) or _serving(model, version):
        return refused(command, why)
    named = {"model": body.model, "name": version.name, "held": model.deployed.body.lineage}
    return accepted(command, {**named, "deployed": model.deployment_of(version)})


def hold(state: RegistryState, command: RegistryCommand, _moment: Moment) -> Decision:
    """No version of the lineage is promoted or followed from now on."""
    body = read_body(HoldBody, command)
    model = state.models.get(body.model)
    if model is None:
        return refused(command, f"no spec of {body.model} is applied")
    if why := _stale(model, command):
        return refused(command, why)
    serving = model.deployed.body.lineage if model.deployed else None
    lineage = model.lineage_of(body.lineage) if body.lineage else serving
    if lineage is None:
        wanted = f"no lineage {body.lineage}" if body.lineage else "no deployment"
        return refused(command, f"{body.model} has {wanted}")
    if lineage in model.held:
        return refused(command, f"lineage {lineage} is held already")
    return accepted(command, {"model": body.model, "held": lineage})


def lift(state: RegistryState, command: RegistryCommand, _moment: Moment) -> Decision:
    """A lineage, or every one that is held, may be promoted again."""
    body = read_body(LiftBody, command)
    model = state.models.get(body.model)
    if model is None:
        return refused(command, f"no spec of {body.model} is applied")
    if why := _stale(model, command):
        return refused(command, why)
    lineage = model.lineage_of(body.lineage) if body.lineage else None
    lifted = [name for name in model.held if body.lineage is None or name == lineage]
    if not lifted:
        which = f"lineage {body.lineage}" if body.lineage else "no lineage"
        return refused(command, f"{which} of {body.model} is {'not ' * bool(body.lineage)}held")
    return accepted(command, {"model": body.model, "lifted": sorted(lifted)})


def _no_earlier(model: ModelState, serving: DeployedBody) -> str:
    if model.promotions.count < 2:
        return f"nothing served {model.name} before"
    return (
        f"no other lineage served {model.name} before {serving.lineage}: name the version that is"
        " to serve (--to)"
    )


def _stale(model: ModelState, command: RegistryCommand) -> str | None:
    """Its sender saw another deployment than the one that serves now."""
    seq = model.deployed.decided.fact_seq if model.deployed else 0
    if command.expected_seq in (None, seq):
        return None
    return f"another version serves {model.name} by now (fact {seq}, not {command.expected_seq})"


def _serving(model: ModelState, version: Version) -> str | None:
    if model.deployed is None or model.deployed.body.version_id != version.version_id:
        return None
    return f"{version.name} serves already"
