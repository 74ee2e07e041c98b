"""What becomes of a command? Pure: the state, the command and the time give the answer."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from driftline.core.registry import deployments, requests, specs, versions
from driftline.core.registry.decision import Decision, Moment, refused
from driftline.core.registry.proof import why_unreadable
from driftline.core.registry.state import MISFIT, RegistryState, misfit_said
from driftline_schemas.codec import UnreadableEvent, canonical
from driftline_schemas.commands import MAX_ACTOR, MAX_REASON, NOT_AFTER_MS, PEOPLES
from driftline_schemas.registry import RegistryCommand

CUT: Final = "..."

Rule = Callable[[RegistryState, RegistryCommand, Moment], Decision]

RULES: Final[Mapping[str, Rule]] = {
    "apply_spec": specs.apply_spec,
    "installation": specs.installation,
    "model_updated": versions.model_updated,
    "gate_evaluated": versions.gate_evaluated,
    "promote": deployments.promote,
    "rollback": deployments.rollback,
    "hold": deployments.hold,
    "lift": deployments.lift,
    "accept_drift": requests.accept_drift,
    "retrain": requests.retrain,
}


def decide(state: RegistryState, command: RegistryCommand, moment: Moment) -> Decision | None:
    """The decision on a command; None if it was decided before: nothing new follows from it."""
    if command.command_id in state.commands:
        return None
    bounded = command.model_copy(
        update={"actor": _cut(command.actor, MAX_ACTOR), "reason": _cut(command.reason, MAX_REASON)}
    )
    if not _is_json(command.body):
        unread = bounded.model_copy(update={"body": {}})
        return refused(unread, "the body is nested too deeply", _of_model(command))
    if why := _objection(state, bounded, moment):
        return refused(bounded, why, _of_model(command))
    try:
        decision = RULES[command.action](state, bounded, moment)
    except UnreadableEvent as error:
        return refused(bounded, f"the body cannot be read: {error}", _of_model(command))
    except MISFIT as error:
        return refused(bounded, f"the body cannot be: {misfit_said(error)}", _of_model(command))
    if decision.outcome == "refused":
        decision = replace(decision, body={**_of_model(command), **decision.body})
    if why := why_unreadable(decision.draft, state.last, moment.now):
        return refused(bounded, why, _of_model(command))
    return decision


def _objection(state: RegistryState, command: RegistryCommand, moment: Moment) -> str | None:
    """What speaks against any command, whatever it asks for."""
    if state.installation is None and command.action != "installation":
        return "the installation is not set up: run `driftline topics init`"
    if not command.actor.strip():
        return "the command names no actor"
    if not command.reason.strip():
        return "the command gives no reason"
    limit = command.not_after
    if limit is None and command.action in PEOPLES:
        limit = moment.appended + NOT_AFTER_MS
    if limit is not None and moment.now > limit:
        late = (moment.now - limit) / 1_000
        return f"the command lapsed {late:.1f} s ago: give it again if it is still wanted"
    return None


def _is_json(body: dict[str, Any]) -> bool:
    try:
        canonical(body)
    except TypeError:
        return False
    return True


def _of_model(command: RegistryCommand) -> dict[str, str]:
    """The model that a command names, if it can be said; a name is at most 128 characters."""
    part: Any = command.body.get("spec") if command.action == "apply_spec" else command.body
    name = part.get("model") if isinstance(part, dict) else None
    return {"model": name} if isinstance(name, str) and 0 < len(name) <= 128 else {}


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - len(CUT)] + CUT
