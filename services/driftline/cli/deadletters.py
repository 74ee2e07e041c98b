"""`driftline deadletters list|show|count|resend`: what was refused, why, and send it again."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from driftline.cli.alerts import age
from driftline.cli.console import (
    Brokers,
    Json,
    Prefix,
    note,
    put,
    put_json,
    reached,
    screen,
    tracked,
    visible,
)
from driftline.cli.errors import CommandError
from driftline.cli.letters import (
    Letter,
    Wanted,
    letter_at,
    letters,
    short_name,
    stretches_since,
    wanted_of,
)
from driftline.cli.resending import Kept, Resend, plan
from driftline.cli.resending import resend as send_again
from driftline.cli.resent import Resent, resent
from driftline.runtime.clock import SystemClock
from driftline.runtime.settings import Settings, parse_duration
from driftline_schemas.fields import format_time, parse_time

app = typer.Typer(help="Look at refused records, and send them again.", no_args_is_help=True)

SHOWN_BYTES = 2_000


def parse_since(text: str) -> int:
    """Milliseconds since the epoch: of `2h` ago, or of an RFC 3339 time."""
    try:
        return parse_time(text)
    except ValueError:
        pass
    try:
        return max(0, SystemClock().now() - parse_duration(text) // timedelta(milliseconds=1))
    except ValueError:
        raise typer.BadParameter("write for example 2h, 7d or 2026-11-25T21:00:00Z") from None


Reason = Annotated[str | None, typer.Option(help="Only this reason, such as misplaced.")]
Topic = Annotated[str | None, typer.Option(help="Only of this topic, such as labels.")]
Model = Annotated[str | None, typer.Option(help="Only those that name this model.")]
Service = Annotated[str | None, typer.Option(help="Only those that this role refused.")]
Since = Annotated[
    int, typer.Option(parser=parse_since, metavar="24h|TIME", help="Only those refused since.")
]


@app.command(name="list")
def list_letters(
    reason: Reason = None,
    topic: Topic = None,
    model: Model = None,
    service: Service = None,
    since: Since = "24h",  # type: ignore[assignment]  # Typer parses the default too
    newest: Annotated[int, typer.Option(help="At most so many, the newest.", min=1)] = 50,
    brokers: Brokers = None,
    prefix: Prefix = None,
    json: Json = False,
) -> None:
    """List dead letters, newest last; the first column is the name for `show` and `resend`."""
    settings = reached(brokers, prefix)
    wanted = wanted_of(reason, topic, model, service)
    found = sorted(_found(settings, since, wanted), key=lambda letter: letter.at)
    for letter in found[-newest:] if json else ():
        put_json(letter.row)
    if json:
        return
    if not found:
        put(f"No dead letter since {format_time(since)}.")
        return
    screen().print(_table(found[-newest:]))
    if len(found) > newest:
        note(f"{len(found) - newest:,} older ones: see `driftline deadletters count`, or"
             " --newest.")  # fmt: skip


@app.command()
def show(
    place: Annotated[str, typer.Argument(metavar="PARTITION:OFFSET", help="As `list` shows it.")],
    brokers: Brokers = None,
    prefix: Prefix = None,
    json: Json = False,
) -> None:
    """Show one: why it was refused, where it lay, what it says."""
    letter = letter_at(reached(brokers, prefix), place)
    text = (letter.value or b"").decode(errors="replace")
    if json:
        put_json({**letter.row, "text": text})
        return
    told, table = letter.told, Table.grid(padding=(0, 2, 0, 0))
    kept = "" if letter.is_whole else f", {len(letter.value or b''):,} of them kept"
    for name, about in (
        ("refused", f"{format_time(letter.at)} by the {told.service} ({told.version})"),
        ("reason", f"{told.reason}: {told.sentence}"),
        ("it lay at", f"{letter.origin}, with the key {told.key!r}"),
        ("it names", f"model {letter.model}, producer {letter.producer}"),
        ("it has", f"{told.length:,} bytes{kept}, sha256 {told.sha256}"),
    ):
        table.add_row(Text(name, "dim"), visible(about))
    screen().print(table)
    more = "" if len(text) <= SHOWN_BYTES else f" ... (`--json` shows all {len(text):,} characters)"
    put(f"\n{text[:SHOWN_BYTES]}{more}" if text else "\n(no value)")


@app.command()
def count(
    topic: Topic = None,
    model: Model = None,
    service: Service = None,
    since: Since = "24h",  # type: ignore[assignment]  # likewise
    brokers: Brokers = None,
    prefix: Prefix = None,
    json: Json = False,
) -> None:
    """Count dead letters by reason, and by the producer that wrote the record."""
    settings = reached(brokers, prefix)
    wanted = wanted_of(None, topic, model, service)
    found = Counter(
        (letter.told.reason, short_name(letter.told.topic), letter.model, letter.producer)
        for letter in _found(settings, since, wanted)
    )
    names = ("reason", "topic", "model", "producer")
    if json:
        for key, n in found.most_common():
            put_json({"n": n, **dict(zip(names, key, strict=True))})
        return
    if not found:
        put(f"No dead letter since {format_time(since)}.")
        return
    table = _plain("n", *names)
    for key, n in found.most_common():
        table.add_row(f"{n:,}", *map(visible, key))
    screen().print(table)


@app.command()
def resend(
    places: Annotated[
        list[str] | None, typer.Argument(metavar="PARTITION:OFFSET", help="These ones.")
    ] = None,
    reason: Reason = None,
    topic: Topic = None,
    model: Model = None,
    service: Service = None,
    since: Since = "24h",  # type: ignore[assignment]  # likewise
    yes: Annotated[bool, typer.Option("--yes", help="Send them.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    again: Annotated[
        bool,
        typer.Option("--again", help="Also what was sent before, or would be refused again."),
    ] = False,
    brokers: Brokers = None,
    prefix: Prefix = None,
    json: Json = False,
) -> None:
    """Send refused records back to their topic: to the partition where they belong.

    Without places, all that the options select. What was sent before stays (each is noted in
    `dead-letters`), as does what was refused for itself, not for its place; --again sends both. The
    header `driftline-resent-from` names the refused record: topic/partition/offset.
    """
    wanted = wanted_of(reason, topic, model, service)
    if not places and wanted == Wanted():
        raise CommandError("Which ones? Name their places, or choose with --reason, --topic, ...")
    settings = reached(brokers, prefix)
    chosen = (
        [letter_at(settings, place) for place in places]
        if places
        else list(_found(settings, since, wanted))
    )
    notes = resent(settings) if chosen else Resent()
    planned, kept = plan(chosen, settings.topic_prefix, notes, again=again)
    sending = yes and not dry_run
    _tell_plan(planned, kept, as_json=json, sent=sending)
    if sending:
        with tracked("letters", len(planned)) as advance:
            send_again(settings, planned, advance)
        if planned and not json:
            put(f"{len(planned):,} records sent.")
    elif planned and not dry_run:
        raise CommandError("Nothing was sent: run it again with --yes if you agree.")
    fates = Counter(each.fate for each in kept)
    if fates["stuck"]:
        raise CommandError(f"{fates['stuck']:,} cannot be sent again.")
    if fates["held"]:
        raise CommandError(
            f"{fates['held']:,} stay: add --again once what refused them has been mended."
        )


def _tell_plan(planned: list[Resend], kept: list[Kept], *, as_json: bool, sent: bool) -> None:
    if as_json:
        for line in _plan_lines(planned, kept, sent=sent):
            put_json(line)
        return
    goes = Counter((each.letter.told.topic, each.letter.told.reason) for each in planned)
    for (topic, reason), n in goes.most_common():
        put(f"  {n:,} {reason} to {topic}")
    places: dict[str, list[str]] = {}
    for stays in kept:
        places.setdefault(stays.why, []).append(stays.letter.place)
    for why, those in places.items():
        who = f"{those[0]} stays" if len(those) == 1 else f"{len(those):,} stay"
        note(f"  {who}: {visible(why)}")
    if again := sum(each.is_refused_again for each in planned):
        note(f"Note: {again:,} of them hold what was refused for itself, not for its place; the"
             " same version refuses them again.")  # fmt: skip
    if not planned and not kept:
        put("No dead letter is chosen.")


def _plan_lines(planned: list[Resend], kept: list[Kept], *, sent: bool) -> Iterator[dict[str, Any]]:
    for each in planned:
        letter = each.letter
        yield {"place": letter.place, "origin": letter.origin, "reason": letter.told.reason,
               "topic": letter.told.topic, "partition": each.partition, "sent": sent}  # fmt: skip
    for stays in kept:
        letter = stays.letter
        yield {"place": letter.place, "origin": letter.origin, "reason": letter.told.reason,
               "sent": False, "why": stays.why}  # fmt: skip


def _found(settings: Settings, since: int, wanted: Wanted) -> Iterator[Letter]:
    """Those that are wanted, while a bar shows how far the reading is."""
    stretches = stretches_since(settings, since)
    total = sum(end - first for first, end in stretches.values())
    with tracked("dead letters", total) as advance:
        for letter in letters(settings, stretches):
            advance(1)
            if wanted.takes(letter):
                yield letter


def _table(found: list[Letter]) -> Table:
    table = _plain("place", "age", "reason", "topic", "model", "producer")
    now = SystemClock().now()
    for letter in found:
        told = letter.told
        table.add_row(
            letter.place, age(now - letter.at), told.reason, visible(short_name(told.topic)),
            visible(letter.model), visible(letter.producer),
        )  # fmt: skip
    return table


def _plain(*names: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for name in names:
        table.add_column(name, justify="right" if name == "n" else "left")
    return table
