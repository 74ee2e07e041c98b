"""May a specification come into force? Pure."""

from typing import Any, Final

from pydantic import ValidationError

from driftline.core.durations import duration_ms
from driftline.core.registry.decision import Decision, Moment, accepted, refused
from driftline.core.registry.models import ModelState
from driftline.core.registry.schedules import cron_fault
from driftline.core.registry.state import RegistryState
from driftline_schemas.codec import UnreadableEvent, content_hash, first_fault
from driftline_schemas.control import BinsBody
from driftline_schemas.fields import format_time
from driftline_schemas.registry import ApplySpecBody, InstallationBody, RegistryCommand
from driftline_schemas.spec import ModelSpec

DAY_MS: Final = 86_400_000
LEAD_SECONDS: Final = 60  # where the installation does not say


def installation(_state: RegistryState, command: RegistryCommand, _moment: Moment) -> Decision:
    """The first fact is written by `topics init`, before there is an owner."""
    return refused(command, "an installation is set up by `driftline topics init` only")


def apply_spec(state: RegistryState, command: RegistryCommand, moment: Moment) -> Decision:
    """A valid specification that is not the one in force; its bins count a lead from now on."""
    body, spec, bins = _read(command)
    if content_hash(body.spec) != body.spec_hash:
        return refused(command, "the spec_hash is not that of the spec")
    crons = dict.fromkeys(schedule.cron for schedule in spec.schedules)
    if fault := next(filter(None, map(cron_fault, crons)), None):
        return refused(command, fault)
    if state.installation and (fault := horizon_fault(spec, state.installation)):
        return refused(command, fault)
    known = state.models.get(spec.model)
    seq = known.spec.decided.fact_seq if known and known.spec else 0
    if command.expected_seq not in (None, seq):
        return refused(command, f"another spec of {spec.model} is in force by now (fact {seq})")
    if known is not None and _is_in_force(known, body, bins):
        return refused(command, "this spec is in force already")
    wire: dict[str, Any] = {"spec_hash": body.spec_hash, "spec": body.spec}
    if missing := [file for file in spec.learning_files if file not in (body.files or {})]:
        return refused(command, f"it does not say where the bytes of {missing[0]} lie")
    if body.files:
        wire["files"] = {name: file.model_dump(mode="json") for name, file in body.files.items()}
    if bins is not None:
        since = moment.now + _lead_ms(state)
        described = bins.model_dump(mode="json", exclude_none=True)
        wire["bins"] = {**described, "effective_from": format_time(since)}
    return accepted(command, wire)


def horizon_fault(spec: ModelSpec, agreed: InstallationBody) -> str | None:
    """All models of an installation wait equally long for their labels."""
    wanted = spec.label_horizon
    if wanted is None or duration_ms(wanted) == agreed.label_horizon_ms:
        return None
    return (
        f"its label_horizon is {wanted}, and this installation joins labels of every model up to"
        f" {agreed.label_horizon_ms / DAY_MS:g} days late: leave label_horizon out"
    )


def _read(command: RegistryCommand) -> tuple[ApplySpecBody, ModelSpec, BinsBody | None]:
    try:
        body = ApplySpecBody.model_validate(command.body)
        spec = ModelSpec.model_validate(body.spec)
        bins = BinsBody.model_validate(body.bins) if body.bins is not None else None
    except ValidationError as error:
        raise UnreadableEvent(first_fault(error)) from None
    return body, spec, bins


def _is_in_force(known: ModelState, body: ApplySpecBody, bins: BinsBody | None) -> bool:
    if known.spec is None:
        return False
    return (known.spec.body.spec_hash, known.spec.bins_id, known.spec.body.files) == (
        body.spec_hash,
        bins.bins_id if bins else None,
        body.files,
    )


def _lead_ms(state: RegistryState) -> int:
    agreed = state.installation.bins_lead_seconds if state.installation else None
    return (agreed or LEAD_SECONDS) * 1_000
