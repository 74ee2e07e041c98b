"""`driftline apply spec.yaml`: a specification, and bins from its reference, come into force.

While a registry service runs (its group has a member), the command asks it; otherwise, and with
`--direct`, it writes facts and control records itself. Writing itself fences whoever writes too: a
registry service that is there would stop with one sentence, so `--direct` is for repairs.
"""

from pathlib import Path
from typing import Annotated

import typer

from driftline.cli.applying import Applied, apply_by_command, apply_spec
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
from driftline.cli.errors import CommandError
from driftline.cli.learning_files import put_learning_files
from driftline.cli.spec_file import load_spec
from driftline.cli.tables import read_rows
from driftline.runtime.command_log import has_owner
from driftline.runtime.first_contact import meet
from driftline_schemas.control import BinsBody
from driftline_schemas.fields import format_time
from driftline_schemas.spec import ModelSpec

__all__ = ["Applied", "apply", "apply_spec", "make_bins"]


def apply(
    spec: Annotated[Path, typer.Argument(help="The model's specification (YAML).")],
    yes: Annotated[
        bool, typer.Option("--yes", help="Agree that windows and detectors start anew.")
    ] = False,
    reason: Annotated[str, typer.Option(help="Why; kept in the registry for ever.")] = "apply",
    actor: Annotated[str | None, typer.Option(help="Who (default: this user).")] = None,
    direct: Annotated[
        bool, typer.Option("--direct", help="Write the facts here, whoever else writes.")
    ] = False,
    brokers: Brokers = None,
    prefix: Prefix = None,
    json: Json = False,
) -> None:
    """Put a model's specification into force: facts in the registry, then control records."""
    settings = settings_of(brokers, prefix)
    wanted = load_spec(spec)
    bins = make_bins(spec, wanted)
    meet(settings.brokers)
    files = put_learning_files(settings, spec, wanted)
    asks = not direct and has_owner(settings.brokers, settings.topic_prefix)
    write = apply_by_command if asks else apply_spec
    applied = write(
        settings, wanted, bins, files, actor=actor or this_person(), reason=reason, agreed=yes
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
        again = "; its control records were sent again" if applied.told_again else ""
        put(f"{spec.model}: unchanged since {format_time(applied.fact.at)} (spec"
            f" {body['spec_hash']}){again}.")  # fmt: skip
        return
    since = f", its bins count from {bins['effective_from']}" if bins else ""
    put(f"{spec.model}: applied as fact {applied.fact.seq} (spec {body['spec_hash']}){since}.")
