"""The stream from its first row to its last, and what is waited for before and after it."""

from time import monotonic

import httpx

from driftline.cli.rollback import scorers_of, told
from driftline.cli.sending import Registry
from driftline.demo.observer import Observed, Observer
from driftline.demo.plan import Plan
from driftline.demo.production_app import Orders
from driftline.demo.roles import Processes
from driftline.demo.setting_up import PANE_SECONDS
from driftline.demo.show import Show
from driftline.demo.takeovers import promoting
from driftline.runtime.errors import DriftlineError
from driftline.runtime.settings import load
from driftline_schemas.alerts import Alert

START_SECONDS = 120.0
SETTLE_SECONDS = 120.0
FIGURES_EVERY = 25  # labels between two figures of a lineage
CHANNELS = 2


def play(
    observer: Observer, processes: Processes, plan: Plan, scorer: str | None, show: Show
) -> None:
    """The app from its first row to its last; the learner is killed where the plan says so."""
    show.fault(plan.fault, plan.stream)
    orders = Orders(plan.own, plan.fault, plan.rate, scorer, plan.seed)
    app = processes.start("app", ["driftline.demo.production_app", orders.written()])
    kills = plan.kill_rows()
    with show.progress(plan.stream.streamed) as advance:
        while app.poll() is None:
            _follow(observer, processes, show, 0.5)
            advance(len(observer.seen.rows))
            if kills and len(observer.seen.rows) >= kills[0]:
                processes.kill_and_restart("learner")
                show.step(f"killed the learner at row {kills.pop(0) + plan.stream.known}")


def await_champion(
    scorer: str, model: str, observer: Observer, processes: Processes, show: Show
) -> None:
    """The learner makes the champion from its file, the registry deploys it, the scorer serves."""
    give_up = monotonic() + START_SECONDS
    while not _serves(scorer, model):
        if monotonic() > give_up:
            raise DriftlineError(
                f"no champion is served after {START_SECONDS:g} s; the learner's log says:"
                f" {processes.log_of('learner-1')}"
            )
        _follow(observer, processes, show, 0.2)
    show.step(f"the champion is trained and served at {scorer}")


def _serves(scorer: str, model: str) -> bool:
    try:
        answer = httpx.get(f"{scorer}/v1/models", timeout=2.0)
    except httpx.TransportError:
        return False
    return answer.status_code == httpx.codes.OK and any(
        known["model"] == model and known["served"] for known in answer.json()
    )


def _follow(observer: Observer, processes: Processes, show: Show, seconds: float) -> None:
    for event in observer.poll(seconds):
        row = observer.seen.row_at(event.at)
        if isinstance(event, Alert):
            show.alert(event, row)
        elif event.action == "gate_evaluated" and "deployed" in event.body:
            show.takeover(event, row)
    if dead := processes.dead():
        raise DriftlineError(f"{dead} ended by itself; its log says: {processes.log_of(dead)}")


def settle(observer: Observer, processes: Processes, plan: Plan, show: Show) -> None:
    """Until every label is joined and learned, every command decided, every alert delivered."""
    give_up, quiet_since = monotonic() + SETTLE_SECONDS, monotonic()
    seen = observer.seen
    while monotonic() < give_up:
        known = len(seen.alerts)
        _follow(observer, processes, show, 0.5)
        if len(seen.alerts) != known:
            quiet_since = monotonic()
        sent = len(seen.sent) >= CHANNELS * len(seen.alerts)
        is_quiet = monotonic() - quiet_since > 2 * PANE_SECONDS + 3
        if sent and is_quiet and _is_learned(seen, plan) and seen.is_decided:
            return
    show.step("some labels or deliveries did not come in time; the summary says which")


def _is_learned(seen: Observed, plan: Plan) -> bool:
    expected = plan.stream.labels
    if len(seen.labelled) < expected:
        return False
    last_figure = expected - expected % FIGURES_EVERY
    figures = seen.figures.values()
    return not plan.learns or min((f.labels for f in figures), default=0) >= last_figure


def take_back(model: str, observer: Observer, show: Show) -> float | None:
    """As an operator would: what served before serves again. Seconds until the scorer says so."""
    if not any(promoting(observer.seen)):
        return None
    settings = load()
    registry, began = Registry(settings), monotonic()
    fact = registry.send(
        "rollback", {"model": model}, actor="demo", reason="to show that it is quick"
    )
    scorers = scorers_of(settings, model, fact)
    seconds = round(monotonic() - began, 2)
    show.step(f"rolled back to {fact.body['name']} in {seconds} s; {told(scorers)}")
    return seconds if scorers["complete"] else None
