"""`driftline replay FILE`: publish recorded predictions and labels through the SDK."""

import re
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Annotated, Any, Final, NoReturn

import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from driftline.cli.console import Brokers, Json, Prefix, note, notes, put, put_json, settings_of
from driftline.cli.errors import CommandError
from driftline.cli.recorded_rows import Columns, recorded_rows
from driftline.cli.replay import App, Delay, Replay, in_ids, within
from driftline.cli.replay_columns import Wanted, columns_of, separate_labels
from driftline.cli.spec_file import load_spec
from driftline.cli.tables import count_rows, stem
from driftline.cli.used_ids import ends_of_predictions, used_before
from driftline.runtime.first_contact import meet
from driftline.runtime.settings import Settings, parse_duration
from driftline.sdk import Driftline

MOST_QUEUED: Final = 50_000  # half of the client's queue: it drops what does not fit, we wait
PATIENCE_SECONDS: Final = 60.0
ROWS: Final = re.compile(r"(\d+)\s*rows?")
NUMBER: Final = re.compile(r"[\d.]+")
INTERRUPTED: Final = 130  # the exit code after Ctrl-C


def parse_delay(text: str) -> Delay:
    """`100rows`, or a duration such as `30s`."""
    if rows := ROWS.fullmatch(text.strip()):
        return Delay(rows=int(rows[1]))
    if number := NUMBER.fullmatch(text.strip()):
        raise typer.BadParameter(f"of what? Write {number[0]}rows or {number[0]}s")
    try:
        return Delay(seconds=parse_duration(text).total_seconds())
    except ValueError:
        raise typer.BadParameter("write for example 100rows or 30s") from None


def parse_speed(text: str) -> float:
    """Rows per second; 0 stands for `max`."""
    try:
        speed = 0.0 if text == "max" else float(text)
    except ValueError:
        speed = -1.0
    if not 0 <= speed < 1e9 or (speed == 0 and text != "max"):
        raise typer.BadParameter("write rows per second, such as 40, or max")
    return speed


def replay(
    file: Annotated[Path, typer.Argument(help="Rows: .csv, .csv.gz (with a header) or .parquet.")],
    spec: Annotated[Path | None, typer.Option(help="Says model, task, features, columns.")] = None,
    model: Annotated[str | None, typer.Option(help="Model (default: the spec's).")] = None,
    model_version: Annotated[str, typer.Option(help="Version that made the predictions.")] = "1",
    prediction: Annotated[str | None, typer.Option(help="Column of the predictions.")] = None,
    scorer: Annotated[
        str | None, typer.Option(help="Ask this scorer for the predictions.", metavar="URL")
    ] = None,
    scorer_token: Annotated[
        str | None, typer.Option(envvar="DRIFTLINE_SCORER_TOKEN", hidden=True)
    ] = None,
    predicted_at: Annotated[
        str | None,
        typer.Option(help="Column of the times of the predictions (default: now).", metavar="TEXT"),
    ] = None,
    label: Annotated[str | None, typer.Option(help="Column of the labels.")] = None,
    labels: Annotated[
        Path | None, typer.Option(help="File of the labels, if they are in one of their own.")
    ] = None,
    label_key: Annotated[
        str | None, typer.Option(help="Column by which both files know a row.")
    ] = None,
    label_delay: Annotated[
        Delay, typer.Option(parser=parse_delay, metavar="100rows|30s", help="Labels come later.")
    ] = "0rows",  # type: ignore[assignment]  # Typer parses the default too
    speed: Annotated[
        float, typer.Option(parser=parse_speed, metavar="ROWS_PER_SECOND|max", help="Pace.")
    ] = "max",  # type: ignore[assignment]  # likewise
    ids: Annotated[
        str | None,
        typer.Option(
            help="Ids are NAME-0, NAME-1, ... (default: the file's name).", metavar="NAME"
        ),
    ] = None,
    from_row: Annotated[int, typer.Option(min=0, help="First row; the file's first is 0.")] = 0,
    to_row: Annotated[int | None, typer.Option(min=0, help="Last row, included.")] = None,
    brokers: Brokers = None,
    prefix: Prefix = None,
    json: Json = False,
) -> None:
    """Play a file's rows as predictions, their labels after a delay.

    Exit code 1: a record was lost.
    """
    settings = settings_of(brokers, prefix)
    wanted = load_spec(spec) if spec else None
    name = model or (wanted.model if wanted else None)
    if name is None:
        raise CommandError("Which model is it? Give --spec or --model.")
    said = Wanted(prediction, label, labels, label_key, predicted_at, asks=scorer is not None)
    columns = columns_of(file, wanted, said)
    recorded = recorded_rows(file, columns, separate_labels(columns, labels))
    rows = within(recorded, from_row, to_row)
    meet(settings.brokers)
    started = monotonic()
    with _client(settings, columns) as client:
        before = ends_of_predictions(settings)
        play = Replay(
            rows=rows,
            app=_app(client, scorer, scorer_token),
            model=name,
            name=in_ids(ids or stem(file)),
            model_version=model_version,
            rate=speed or None,
            delay=label_delay,
        )
        try:
            _play(play, client, lambda: _total(file, from_row, to_row))
        except CommandError as error:
            raise CommandError(f"{error}{_gone_out(play, client, from_row)}") from None
        except KeyboardInterrupt:
            _interrupted(f"Interrupted.{_gone_out(play, client, from_row)}", as_json=json)
        left = client.close(PATIENCE_SECONDS)
    used = used_before(settings, before, name, play.some_ids(from_row))
    _tell(play, client, left, monotonic() - started, as_json=json, used=used)


def _gone_out(play: Replay, client: Driftline, first: int) -> str:
    """What a replay did that ended too early; nothing if it did nothing."""
    left = client.close(PATIENCE_SECONDS)
    if not play.published:
        return ""
    lost = f", {left:,} did not" if left else ""
    due = f" {play.due:,} of their labels were still due." if play.due else ""
    return (
        f" Before that {play.published:,} rows went out: {client.statistics().sent:,} records"
        f" arrived{lost}.{due} --from-row {first + play.published} goes on after them."
    )


def _interrupted(sentence: str, *, as_json: bool) -> NoReturn:
    if as_json:
        put_json({"error": sentence})
    else:
        note(sentence)
    raise typer.Exit(INTERRUPTED)


def _app(client: Driftline, scorer: str | None, token: str | None) -> App:
    """What publishes: the client itself, or one that asks a scorer for each prediction."""
    if scorer is None:
        return client
    # httpx comes with the extra `services`; a plain replay does without.
    from driftline.cli.asking import AskingApp, Scorer

    return AskingApp(Scorer(scorer, token), client)


def _client(settings: Settings, columns: Columns) -> Driftline:
    client = Driftline(
        settings.brokers,
        settings.topic_prefix,
        task=columns.task,
        producer_name="driftline-replay",
        max_queued_kib=1_048_576,
    )
    if faults := client.check():
        client.close(0)
        raise CommandError(faults[0])
    return client


def _play(play: Replay, client: Driftline, total: Callable[[], int]) -> None:
    console = notes()
    columns = (
        TextColumn("rows"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn(),
    )  # fmt: skip
    shown = console.is_terminal
    with Progress(*columns, console=console, disable=not shown, transient=True) as progress:
        task = progress.add_task("rows", total=total() if shown else None)
        for _ in play.run():
            progress.advance(task)
            if play.published % 1_000 == 0:
                _make_room(client)


class _Rate(TextColumn):
    """Rows per second."""

    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed or 0:,.0f} rows/s")


def _make_room(client: Driftline) -> None:
    while client.statistics().queued > MOST_QUEUED:
        client.flush(1.0)


def _total(file: Path, first: int, last: int | None) -> int:
    rows = count_rows(file)
    return max(0, min(rows, rows if last is None else last + 1) - first)


def _tell(
    play: Replay,
    client: Driftline,
    left: int,
    seconds: float,
    *,
    as_json: bool,
    used: str | None,
) -> None:
    numbers = client.statistics()
    lost = left + sum(numbers.dropped.values()) + sum(numbers.failed.values())
    totals: dict[str, Any] = {
        "model": play.model,
        "rows": play.published,
        "labels": play.labelled,
        "sent": numbers.sent,
        "dropped": dict(numbers.dropped),
        "failed": dict(numbers.failed),
        "unsent": left,
        "seconds": round(seconds, 3),
        "used_before": used is not None,
    }
    if as_json:
        put_json(totals)
    else:
        put(f"{play.published:,} rows, {play.labelled:,} of them with a label, in {seconds:.1f} s:"
            f" {numbers.sent:,} records sent, {lost:,} lost.")  # fmt: skip
        if used:
            note(f"Note: ids such as {used} were sent before, so the joiner drops these rows as"
                 " repeats: give new ids, for example --ids again.")  # fmt: skip
        for reason, times in {**numbers.dropped, **numbers.failed}.items():
            note(f"  {times:,} x {reason}")
    if lost:
        raise typer.Exit(1)
