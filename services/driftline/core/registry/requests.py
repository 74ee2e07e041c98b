"""What people ask of monitor and learner: accept drift, retrain. Pure."""

from driftline.core.registry.decision import Decision, Moment, accepted, read_body, refused
from driftline.core.registry.state import RegistryState
from driftline_schemas.commands import AcceptDriftRequest, RetrainRequest
from driftline_schemas.registry import RegistryCommand


def accept_drift(state: RegistryState, command: RegistryCommand, _moment: Moment) -> Decision:
    """The counts of some panes become the reference of the bins in force."""
    body = read_body(AcceptDriftRequest, command)
    model = state.models.get(body.model)
    bins_id = model.spec.bins_id if model and model.spec else None
    if bins_id is None:
        return refused(command, f"{body.model} has no reference, so no drift to accept")
    if body.bins_id not in (None, bins_id):
        return refused(command, f"other bins of {body.model} are in force by now ({bins_id})")
    agreed = body.model_copy(update={"bins_id": bins_id})
    return accepted(command, agreed.model_dump(mode="json"))


def retrain(state: RegistryState, command: RegistryCommand, _moment: Moment) -> Decision:
    """A pipeline of the spec learns again beside those that are there."""
    body = read_body(RetrainRequest, command)
    model = state.models.get(body.model)
    if model is None or model.spec is None:
        return refused(command, f"no spec of {body.model} is applied")
    known = model.spec.body.spec.pipelines
    if body.pipeline not in known:
        listed = ", ".join(sorted(known)[:20]) or "none"
        return refused(command, f"{body.model} has no pipeline {body.pipeline} (it has: {listed})")
    return accepted(command, body.model_dump(mode="json", exclude_none=True))
