"""What follows from a fact, outside the registry: a deployment, control records. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from driftline.core.registry.state import model_of
from driftline_schemas.control import (
    AcceptDriftControl,
    BinsControl,
    ControlEvent,
    DeployedBody,
    DeployedControl,
    RetrainControl,
    ScheduleControl,
    SpecControl,
)
from driftline_schemas.registry import Arm, Deployment, Fact

BY_ACTION: Final[Mapping[str, type[ControlEvent]]] = {
    "accept_drift": AcceptDriftControl,
    "retrain": RetrainControl,
    "schedule": ScheduleControl,
}
SPEC_KEYS: Final = ("spec_hash", "spec", "files")


def controls_of(fact: Fact) -> list[ControlEvent]:
    """The control records that follow from a fact, in their order."""
    if fact.outcome == "refused" or fact.action == "installation":
        return []
    model = model_of(fact)
    if fact.action == "apply_spec":
        return _of_spec(fact, model)
    controls: list[ControlEvent] = []
    if (kind := BY_ACTION.get(fact.action)) is not None:
        controls.append(_control(kind, model, fact, fact.body))
    if (deployed := fact.body.get("deployed")) is not None:
        controls.append(_control(DeployedControl, model, fact, deployed))
    return controls


def deployment_of(fact: Fact) -> Deployment | None:
    """What serves from this fact on; None if it changes nothing about that."""
    if fact.outcome == "refused" or "deployed" not in fact.body:
        return None
    body = DeployedBody.model_validate(fact.body["deployed"])
    return Deployment(
        model=model_of(fact),
        seq=body.deployment_seq,
        arms=[Arm(version_id=body.version_id, share=1.0, role="champion")],
        previous=body.previous,
        reason=fact.reason,
        actor=fact.actor,
    )


def _of_spec(fact: Fact, model: str) -> list[ControlEvent]:
    spec = {key: value for key, value in fact.body.items() if key in SPEC_KEYS}
    controls = [_control(SpecControl, model, fact, spec)]
    if bins := fact.body.get("bins"):
        controls.append(_control(BinsControl, model, fact, bins))
    return controls


def _control(
    kind: type[ControlEvent], model: str, fact: Fact, body: Mapping[str, Any]
) -> ControlEvent:
    return kind.model_validate({"model": model, "seq": fact.seq, "body": body})
