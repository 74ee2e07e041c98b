"""`driftline apply spec.yaml`: a specification, and bins from its reference, come into force."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from driftline.cli.console import (
    Brokers,
    Json,
    Prefix,
    note,
    put,
    put_json,
    settings_of,
    this_person,
)
from driftline.cli.differences import differences
from driftline.cli.errors import CommandError
from driftline.cli.spec_file import load_spec, spec_hash, wire_spec
from driftline.cli.tables import read_rows
from driftline.core.fact_chain import Draft
from driftline.runtime.clock import SystemClock
from driftline.runtime.control_records import controls_of, send_controls
from driftline.runtime.registry_log import RegistryWriter, installation
from driftline.runtime.settings import Settings
from driftline_schemas.codec import short_hash
from driftline_schemas.control import BinsBody
from driftline_schemas.fields import format_time
from driftline_schemas.registry import Fact
from driftline_schemas.spec import ModelSpec


@dataclass(frozen=True, slots=True)
class Applied:
    """What `apply` did."""

    fact: Fact
    is_new: bool
    changes: Sequence[str]
    remarks: Sequence[str]


def apply(
    spec: Annotated[Path, typer.Argument(help="The model's specification (YAML).")],
    yes: Annotated[
        bool, typer.Option("--yes", help="Agree that windows and detectors start anew.")
    ] = False,
    reason: Annotated[str, typer.Option(help="Why; kept in the registry for ever.")] = "apply",
    actor: Annotated[str | None, typer.Option(help="Who (default: this user).")] = None,
    brokers: Brokers = None,
    prefix: Prefix = None,
    json: Json = False,
) -> None:
    """Put a model's specification into force: facts in the registry, then control records."""
    settings = settings_of(brokers, prefix)
    wanted = load_spec(spec)
    bins = make_bins(spec, wanted)
    applied = apply_spec(
        settings, wanted, bins, actor=actor or this_person(), reason=reason, agreed=yes
    )
    _tell(applied, wanted, as_json=json)


def make_bins(file: Path, spec: ModelSpec) -> BinsBody | None:
    """Bins and counts of the spec's reference, a path beside the spec's file."""
    if spec.reference is None:
        return None
    # numpy comes with the extra `services`; the other commands do without.
    from driftline.core.reference import (
        UnusableReferenceError,
        reference_bins,
        reference_columns,
    )

    reference = file.parent / spec.reference.file
    rows = read_rows(reference, reference_columns(spec))
    try:
        return reference_bins(spec, rows, effective_from=0)
    except UnusableReferenceError as error:
        raise CommandError(f"{reference}: {error}.") from None


def apply_spec(
    settings: Settings,
    spec: ModelSpec,
    bins: BinsBody | None,
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
        lead = setup.bins_lead_seconds or settings.bins_lead_seconds
        before = newest(writer.facts, spec.model)
        changes = _changes(before, spec, bins)
        is_new = before is None or bool(changes)
        if changes and not agreed:
            raise _needs_consent(spec.model, changes)
        if before is None or is_new:
            body = _body(spec, bins, clock.now() + lead * 1_000)
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
    return Applied(before, is_new, changes, _remarks(bins))


def newest(facts: Iterable[Fact], model: str) -> Fact | None:
    """The spec of the model that is in force."""
    found = None
    for fact in facts:
        if fact.action == "apply_spec" and fact.outcome == "accepted":
            found = fact if fact.body["spec"]["model"] == model else found
    return found


def _body(spec: ModelSpec, bins: BinsBody | None, effective_from: int) -> dict[str, Any]:
    body: dict[str, Any] = {"spec_hash": spec_hash(spec), "spec": wire_spec(spec)}
    if bins is not None:
        in_force = bins.model_copy(update={"effective_from": effective_from})
        body["bins"] = in_force.model_dump(mode="json", exclude_none=True)
    return body


def _changes(before: Fact | None, spec: ModelSpec, bins: BinsBody | None) -> list[str]:
    if before is None:
        return []
    changes = differences(before.body["spec"], wire_spec(spec))
    known: Mapping[str, Any] = before.body.get("bins") or {}
    if known.get("bins_id") != (bins.bins_id if bins else None):
        changes.append("~ the rows of the reference give other bins")
    return changes


def _needs_consent(model: str, changes: Sequence[str]) -> CommandError:
    for change in changes:
        note(f"  {change}")
    return CommandError(
        f"This changes the spec of {model} and starts its windows and detectors anew: run it again"
        " with --yes if you agree."
    )


def _remarks(bins: BinsBody | None) -> list[str]:
    """What the person should know about the reference."""
    if bins is None:
        return ["without a reference, no drift of features or predictions is found"]
    return [
        f"{name}: {described.reference[-1]} of {bins.n} reference values are no {described.kind}"
        for name, described in bins.features.items()
        if described.reference[-1]
    ]


def _tell(applied: Applied, spec: ModelSpec, *, as_json: bool) -> None:
    body = applied.fact.body
    bins = body.get("bins") or {}
    if as_json:
        put_json(
            {
                "model": spec.model,
                "status": "applied" if applied.is_new else "unchanged",
                "seq": applied.fact.seq,
                "spec_hash": body["spec_hash"],
                "bins_id": bins.get("bins_id"),
                "effective_from": bins.get("effective_from"),
                "changes": list(applied.changes),
                "remarks": list(applied.remarks),
            }
        )
        return
    for change in applied.changes:
        put(f"  {change}")
    for remark in applied.remarks:
        note(f"Note: {remark}.")
    if not applied.is_new:
        put(f"{spec.model}: unchanged since {format_time(applied.fact.at)} (spec"
            f" {body['spec_hash']}); its control records were sent again.")  # fmt: skip
        return
    since = f", its bins count from {bins['effective_from']}" if bins else ""
    put(f"{spec.model}: applied as fact {applied.fact.seq} (spec {body['spec_hash']}){since}.")
