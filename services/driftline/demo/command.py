"""`driftline demo`: one command from nothing to a fault that is found, a challenger that takes
over, and alerts that are delivered and resolved."""

import signal
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from os import environ
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Annotated, Any

import typer

from driftline.cli.console import put_json
from driftline.cli.errors import CommandError
from driftline.demo.observer import Observer
from driftline.demo.own_rows import ROWS, OwnRows
from driftline.demo.plan import Plan, stream_of
from driftline.demo.playing import await_champion, play, settle, take_back
from driftline.demo.receiver import Received, Receiver
from driftline.demo.roles import ENDING, Processes
from driftline.demo.setting_up import servers, set_up, settings_for
from driftline.demo.show import Show
from driftline.demo.stream import Fault, Stream
from driftline.demo.summary import Delivered, summarise
from driftline.demo.takeovers import summarise_learning


def demo(
    data: Annotated[
        Path | None, typer.Option(help="Play these rows: .csv, .csv.gz or .parquet.")
    ] = None,
    label: Annotated[
        str | None, typer.Option(help="Column of --data to predict (default: the last).")
    ] = None,
    leave_out: Annotated[
        list[str] | None,
        typer.Option(help="Column of --data that is no feature; repeatable.", metavar="COLUMN"),
    ] = None,
    rows: Annotated[
        int | None,
        typer.Option(min=1, help=f"Use so many rows of --data (default: {ROWS:,}).", metavar="N"),
    ] = None,
    no_fault: Annotated[
        bool, typer.Option("--no-fault", help="Leave the stream as it is.")
    ] = False,
    fault_at: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, help="Begin the fault after this share of the rows."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the champion's training.")] = 0,
    rate: Annotated[float, typer.Option(min=1.0, max=200.0, help="Rows per second.")] = 40.0,
    frozen: Annotated[
        bool, typer.Option("--frozen", help="Watch a model that the app has; nothing learns.")
    ] = False,
    kills: Annotated[
        int, typer.Option(min=0, max=50, help="SIGKILL the learner so often, at random moments.")
    ] = 0,
    stay: Annotated[
        bool, typer.Option("--stay", help="Leave everything running at the end, until Ctrl-C.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="End with one line of JSON.")] = False,
) -> None:
    """Run the whole loop on a real stream: a fault, an alert, a takeover, and the way back.

    With --data your rows are played and no fault is injected unless --fault-at says where. The
    first 30 %, at most 1,800, are learned before the start, labels come 100 rows late.
    """
    own = _own_rows(data, label, leave_out or [], rows, frozen=frozen)
    stream = stream_of(own)
    fault = None if no_fault else _fault(stream, fault_at)
    plan = Plan(stream, own, fault, seed, rate, learns=not frozen, kills=0 if frozen else kills)
    started = monotonic()
    show = Show(as_json=json)
    with ExitStack() as stack:
        stack.enter_context(_interrupted_by_signals())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="driftline-demo-")))
        result = _run(stack, folder, plan, show)
        result["seconds"] = round(monotonic() - started, 1)
        show.summary(result)
        if json:
            put_json(result)
        if stay:
            show.step("everything goes on running: look at the page, end it with Ctrl-C")
            with suppress(KeyboardInterrupt):
                Event().wait()


def _own_rows(
    data: Path | None, label: str | None, left_out: list[str], rows: int | None, *, frozen: bool
) -> OwnRows | None:
    if data is None:
        if label is not None or left_out or rows is not None:
            raise CommandError("--label, --leave-out and --rows go with --data: which file is it?")
        return None
    if frozen:
        raise CommandError("--frozen goes with the demo's own stream only: leave out --data.")
    return OwnRows(data.absolute(), label, ROWS if rows is None else rows, tuple(left_out))


def _fault(stream: Stream, share: float | None) -> Fault | None:
    if share is None:
        return stream.fault
    if len(stream.rotated) < 2:
        raise CommandError("A fault swaps numeric columns, and there are fewer than two of them.")
    return stream.fault_at(share)


def _run(stack: ExitStack, folder: Path, plan: Plan, show: Show) -> dict[str, Any]:
    receiver = stack.enter_context(Receiver(on_received=lambda got: _tell(show, got)))
    environment = servers(stack, show) | settings_for(receiver, folder)
    environ.update(environment)
    set_up(folder, plan, show)
    processes = stack.enter_context(Processes(folder, environment))
    for role in plan.roles:
        processes.role(role)
    show.step(f"started {', '.join(plan.roles)}, each a process of its own")
    page = f"http://127.0.0.1:{environment['DRIFTLINE_API_PORT']}/"
    show.step(f"the page is at {page}")
    observer = Observer(environment["DRIFTLINE_BROKERS"], environment["DRIFTLINE_TOPIC_PREFIX"])
    stack.callback(observer.close)
    scorer, model, task = None, plan.stream.model, plan.stream.task
    if plan.learns:
        scorer = f"http://127.0.0.1:{environment['DRIFTLINE_SCORER_PORT']}"
        await_champion(scorer, model, observer, processes, show)
    play(observer, processes, plan, scorer, show)
    settle(observer, processes, plan, show)
    delivered = Delivered(len(receiver.delivered("slack")), len(receiver.delivered("pagerduty")))
    result = summarise(observer.seen, task, plan.fault, delivered)
    if plan.learns:
        result |= summarise_learning(observer.seen, task)
        result["rollback_seconds"] = take_back(model, observer, show)
    return result


def _tell(show: Show, received: Received) -> None:
    show.delivery(received.kind, received.body)


@contextmanager
def _interrupted_by_signals() -> Iterator[None]:
    """SIGTERM ends the demo as Ctrl-C does: everything is stopped and removed.

    Ctrl-C is asked for as well: a shell's background jobs inherit it ignored.
    """

    def interrupt(_number: int, _frame: Any) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
