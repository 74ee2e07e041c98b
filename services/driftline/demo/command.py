"""`driftline demo`: one command from nothing to an alert that is delivered and resolved."""

import csv
import os
import secrets
import signal
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic
from typing import Annotated, Any

import orjson
import typer

from driftline.cli.apply import apply_spec, make_bins
from driftline.cli.spec_file import load_spec
from driftline.cli.topics import init_topics
from driftline.demo import segments
from driftline.demo.observer import Observer
from driftline.demo.receiver import Received, Receiver
from driftline.demo.roles import Processes
from driftline.demo.show import Show
from driftline.demo.summary import Delivered, summarise
from driftline.runtime.errors import DriftlineError
from driftline.runtime.settings import load
from driftline.servers import local_servers

PANE_SECONDS = 5
BINS_LEAD_SECONDS = 5
ROLES = ("joiner", "monitor", "alerter")
SETTLE_SECONDS = 45.0
CHANNELS = 2
ENDING = (signal.SIGINT, signal.SIGTERM)
ROUTING_KEY = "demo0000000000000000000000000000"  # 32 characters, as PagerDuty's are


def demo(
    no_fault: Annotated[
        bool, typer.Option("--no-fault", help="Leave the stream as it is.")
    ] = False,
    fault_at: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, help="Begin the fault after this share of the rows."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the champion's training.")] = 0,
    rate: Annotated[float, typer.Option(min=1.0, max=200.0, help="Rows per second.")] = 40.0,
    json: Annotated[bool, typer.Option("--json", help="End with one line of JSON.")] = False,
) -> None:
    """Run the whole loop on a real stream: servers, services, an app, a fault, an alert."""
    fault = None if no_fault else segments.fault_at(fault_at)
    started = monotonic()
    show = Show(as_json=json)
    with ExitStack() as stack:
        stack.enter_context(_interrupted_by_signals())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="driftline-demo-")))
        observer, receiver = _run(stack, folder, fault, seed, rate, show)
        delivered = Delivered(
            len(receiver.delivered("slack")), len(receiver.delivered("pagerduty"))
        )
        result = summarise(observer.seen, fault, delivered, monotonic() - started)
    show.summary(result)
    if json:
        typer.echo(orjson.dumps(result).decode())


def _run(
    stack: ExitStack, folder: Path, fault: segments.Fault | None, seed: int, rate: float, show: Show
) -> tuple[Observer, Receiver]:
    receiver = stack.enter_context(Receiver(on_received=lambda got: _tell(show, got)))
    environment = _servers(stack, show) | _settings(receiver)
    os.environ.update(environment)
    _set_up(folder, show)
    processes = stack.enter_context(Processes(folder, environment))
    for role in ROLES:
        processes.role(role)
    show.step(f"started {', '.join(ROLES)}, each a process of its own")
    observer = Observer(environment["DRIFTLINE_BROKERS"], environment["DRIFTLINE_TOPIC_PREFIX"])
    stack.callback(observer.close)
    show.fault(fault)
    window = fault or segments.Fault(0, 0)
    arguments = [str(each) for each in (seed, window.first, window.last, rate)]
    app = processes.start("app", ["driftline.demo.production_app", *arguments])
    with show.progress(segments.STREAMED_ROWS) as advance:
        while app.poll() is None:
            _follow(observer, processes, show, 0.5)
            advance(len(observer.seen.rows))
    _settle(observer, processes, receiver, show)
    return observer, receiver


def _servers(stack: ExitStack, show: Show) -> dict[str, str]:
    """Servers that already run, if the environment names them; otherwise real ones from wheels."""
    if brokers := os.environ.get("DRIFTLINE_BROKERS"):
        show.step(f"using the broker at {brokers}")
        redis = os.environ.get("DRIFTLINE_REDIS_URL", "redis://127.0.0.1:6379/0")
        prefix = f"demo-{secrets.token_hex(4)}"
    else:
        show.step("starting a real Kafka and a real Redis (the first time their parts are fetched)")
        servers = stack.enter_context(local_servers())
        brokers, redis, prefix = servers.brokers, servers.redis_url, "demo"
        show.step(f"Kafka at {brokers}, Redis at {redis}")
    return {
        "DRIFTLINE_BROKERS": brokers,
        "DRIFTLINE_REDIS_URL": redis,
        "DRIFTLINE_TOPIC_PREFIX": prefix,
    }


def _settings(receiver: Receiver) -> dict[str, str]:
    return {
        "DRIFTLINE_PANE_SECONDS": str(PANE_SECONDS),
        "DRIFTLINE_BINS_LEAD_SECONDS": str(BINS_LEAD_SECONDS),
        "DRIFTLINE_SLACK_WEBHOOK_URL": receiver.url("slack"),
        "DRIFTLINE_PAGERDUTY_URL": receiver.url("pagerduty"),
        "DRIFTLINE_PAGERDUTY_ROUTING_KEY": ROUTING_KEY,
    }


def _set_up(folder: Path, show: Show) -> None:
    """Topics, the specification and the reference, as an operator would set them up."""
    settings = load()
    init_topics(settings, "demo")
    file = write_spec(folder)
    spec = load_spec(file)
    apply_spec(settings, spec, make_bins(file, spec), actor="demo", reason="demo", agreed=True)
    show.step(f"applied {segments.MODEL}: {len(spec.features)} features, bins from 693 rows")


def write_spec(folder: Path) -> Path:
    """The reference rows as CSV and the specification beside them."""
    known = segments.rows()[: segments.KNOWN_ROWS]
    names = list(known[0][0])
    with (folder / "reference.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*names, "class"])
        writer.writerows([[*features.values(), label] for features, label in known])
    features = "\n".join(f"  - {{name: {name}, kind: numeric}}" for name in names)
    spec = folder / "segments.yaml"
    spec.write_text(
        f"model: {segments.MODEL}\ntask: multiclass\nfeatures:\n{features}\n"
        "reference: {file: reference.csv, label: class}\n",
        encoding="utf-8",
    )
    return spec


def _follow(observer: Observer, processes: Processes, show: Show, seconds: float) -> None:
    for alert in observer.poll(seconds):
        show.alert(alert, observer.seen.row_at(alert.at))
    if dead := processes.dead():
        raise DriftlineError(f"{dead} ended by itself; its log says: {processes.log_of(dead)}")


def _settle(observer: Observer, processes: Processes, receiver: Receiver, show: Show) -> None:
    """Until every label is joined and every alert delivered in both channels."""
    give_up = monotonic() + SETTLE_SECONDS
    expected = segments.STREAMED_ROWS - segments.LABEL_DELAY
    quiet_since = monotonic()
    while monotonic() < give_up:
        known = len(observer.seen.alerts)
        _follow(observer, processes, show, 0.5)
        if len(observer.seen.alerts) != known:
            quiet_since = monotonic()
        joined = len(observer.seen.right) >= expected
        sent = len(observer.seen.sent) >= CHANNELS * len(observer.seen.alerts)
        if joined and sent and monotonic() - quiet_since > 2 * PANE_SECONDS + 3:
            return
    show.step("some labels or deliveries did not come in time; the summary says which")


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
