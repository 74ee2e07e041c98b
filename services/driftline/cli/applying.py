"""The two ways in which a specification comes into force: by a command, or written directly."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from driftline.cli.console import note
from driftline.cli.differences import differences
from driftline.cli.errors import CommandError
from driftline.cli.sending import Registry
from driftline.cli.spec_file import spec_hash, wire_spec
from driftline.core.fact_chain import Draft
from driftline.core.registry.consequences import controls_of
from driftline.core.registry.specs import horizon_fault
from driftline.runtime.clock import SystemClock
from driftline.runtime.control_records import send_controls
from driftline.runtime.registry_log import RegistryWriter, installation
from driftline.runtime.settings import Settings
from driftline_schemas.codec import short_hash
from driftline_schemas.control import BinsBody
from driftline_schemas.registry import Artifact, Fact
from driftline_schemas.spec import ModelSpec

Files = Mapping[str, Artifact]


@dataclass(frozen=True, slots=True)
class Applied:
    """What `apply` did."""

    fact: Fact
    is_new: bool
    changes: Sequence[str]
    remarks: Sequence[str]
    told_again: bool = False  # its control records were sent although nothing changed


def apply_spec(
    settings: Settings,
    spec: ModelSpec,
    bins: BinsBody | None,
    files: Files | None = None,
    *,
    actor: str,
    reason: str,
    agreed: bool,
) -> Applied:
    """Write the fact unless the newest one says the same, then the control records again.

    Another spec or other bins of a known model reset its state: refused unless `agreed`.
    """
    clock = SystemClock()
    with RegistryWriter(settings.brokers, settings.topic_prefix, clock.now) as writer:
        setup = installation(writer.facts)
        if setup is None:
            raise CommandError("The installation is not set up: run `driftline topics init`.")
        if fault := horizon_fault(spec, setup):
            raise CommandError(f"This spec is refused: {fault}.")
        lead = setup.bins_lead_seconds or settings.bins_lead_seconds
        before = newest(writer.facts, spec.model)
        changes = _changes(before, spec, bins, files)
        is_new = before is None or bool(changes)
        if changes and not agreed:
            raise _needs_consent(spec.model, changes)
        if before is None or is_new:
            body = _body(spec, bins, files, clock.now() + lead * 1_000)
            place = str(len(writer.facts))
            draft = Draft(
                command_id=short_hash("apply_spec", spec.model, body["spec_hash"], place),
                action="apply_spec",
                actor=actor,
                reason=reason,
                body=body,
            )
            (before,) = writer.append([draft])
    send_controls(settings.brokers, settings.topic_prefix, controls_of(before))
    return Applied(before, is_new, changes, remarks_on(bins), told_again=not is_new)


def apply_by_command(
    settings: Settings,
    spec: ModelSpec,
    bins: BinsBody | None,
    files: Files | None = None,
    *,
    actor: str,
    reason: str,
    agreed: bool,
) -> Applied:
    """As `apply_spec`, but the registry's owner writes; it says from when on the bins count."""
    registry = Registry(settings)
    before = newest(registry.known, spec.model)
    changes = _changes(before, spec, bins, files)
    if before is not None and not changes:
        return Applied(before, False, changes, remarks_on(bins))
    if changes and not agreed:
        raise _needs_consent(spec.model, changes)
    fact = registry.send(
        "apply_spec",
        _body(spec, bins, files, effective_from=0),
        actor=actor,
        reason=reason,
        expected_seq=before.seq if before else 0,
    )
    return Applied(fact, True, changes, remarks_on(bins))


def newest(facts: Iterable[Fact], model: str) -> Fact | None:
    """The spec of the model that is in force."""
    found = None
    for fact in facts:
        if fact.action == "apply_spec" and fact.outcome == "accepted":
            found = fact if fact.body["spec"]["model"] == model else found
    return found


def _body(
    spec: ModelSpec, bins: BinsBody | None, files: Files | None, effective_from: int
) -> dict[str, Any]:
    body: dict[str, Any] = {"spec_hash": spec_hash(spec), "spec": wire_spec(spec)}
    if files:
        body["files"] = {name: file.model_dump(mode="json") for name, file in files.items()}
    if bins is not None:
        in_force = bins.model_copy(update={"effective_from": effective_from})
        body["bins"] = in_force.model_dump(mode="json", exclude_none=True)
    return body


def _changes(
    before: Fact | None, spec: ModelSpec, bins: BinsBody | None, files: Files | None
) -> list[str]:
    if before is None:
        return []
    kept: Mapping[str, Any] = before.body.get("files") or {}
    changes = differences(before.body["spec"], wire_spec(spec))
    known: Mapping[str, Any] = before.body.get("bins") or {}
    if known.get("bins_id") != (bins.bins_id if bins else None):
        changes.append("~ the rows of the reference give other bins")
    changes += [
        f"~ {name} has other rows"
        for name, file in (files or {}).items()
        if name in kept and kept[name]["sha256"] != file.sha256
    ]
    return changes


def _needs_consent(model: str, changes: Sequence[str]) -> CommandError:
    for change in changes:
        note(f"  {change}")
    return CommandError(
        f"This changes the spec of {model} and starts its windows and detectors anew: run it again"
        " with --yes if you agree."
    )


def remarks_on(bins: BinsBody | None) -> list[str]:
    """What the person should know about the reference."""
    if bins is None:
        return ["without a reference, no drift of features or predictions is found"]
    return [
        f"{name}: {described.reference[-1]} of {bins.n} reference values are no {described.kind}"
        for name, described in bins.features.items()
        if described.reference[-1]
    ]
