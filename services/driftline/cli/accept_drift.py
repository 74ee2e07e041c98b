"""`driftline accept-drift MODEL`: what drifted is the new normal."""

from collections.abc import Iterable
from typing import Annotated, TypeVar

import typer

from driftline.cli.console import Brokers, Json, Prefix, reached
from driftline.cli.errors import CommandError
from driftline.cli.overview import still_open
from driftline.cli.registry_view import known_model
from driftline.cli.sending import Actor, ModelName, Reason, Registry, tell
from driftline.runtime.settings import Settings
from driftline.runtime.topic_tail import MOST, read_tail
from driftline_schemas.alerts import Alert
from driftline_schemas.codec import UnreadableEvent, decode
from driftline_schemas.fields import Event, format_time, parse_time
from driftline_schemas.partitioner import partition_of
from driftline_schemas.topics import ALERTS, VERDICTS, Topic
from driftline_schemas.verdicts import Verdict

E = TypeVar("E", bound=Event)


def accept_drift(
    model: ModelName,
    reason: Reason,
    since: Annotated[
        str | None, typer.Option("--from", help="First pane (default: when the incident opened).")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--to", help="End (default: of the newest pane judged).")
    ] = None,
    actor: Actor = None,
    brokers: Brokers = None,
    prefix: Prefix = None,
    json: Json = False,
) -> None:
    """Compare with what came since the incident opened from now on: RFC 3339 times, UTC."""
    settings = reached(brokers, prefix)
    registry = Registry(settings)
    known = known_model(registry.state, model)
    agreed = registry.state.installation
    pane = ((agreed.pane_seconds if agreed else None) or settings.pane_seconds) * 1_000
    first = _time(since) if since else _opened(settings, model)
    first -= first % pane
    end = _time(until) if until else _judged(settings, model)
    if first >= end:
        raise CommandError(
            f"No pane of {model} has closed since {format_time(first)}: wait for one, or say which"
            " panes with --from and --to."
        )
    body = {"model": model, "bins_id": known.spec.bins_id if known.spec else None,
            "from_pane": format_time(first), "to_pane": format_time(end)}  # fmt: skip
    fact = registry.send("accept_drift", body, actor=actor, reason=reason)
    told = (
        f"{model}: its reference becomes what came from {format_time(first)} to {format_time(end)},"
        " if that is 200 predictions or more, and the incident ends at the first clean block"
    )
    tell(fact, told, as_json=json)


def _opened(settings: Settings, model: str) -> int:
    """When (ms) the data incident that is open now was opened."""
    told = [
        alert
        for alert in _events(settings, ALERTS, model, Alert)
        if alert.model == model and alert.check == "data"
    ]
    still = still_open(told)
    if not still:
        raise CommandError(f"No data incident of {model} is open: say which panes with --from.")
    return still[-1].opened_at


def _judged(settings: Settings, model: str) -> int:
    """The end (ms) of the newest pane that was judged."""
    verdicts = _events(settings, VERDICTS, model, Verdict)
    ends = [v.window.end for v in verdicts if v.model == model and v.check == "data"]
    return max(ends, default=0)


def _events(settings: Settings, topic: Topic, model: str, kind: type[E]) -> Iterable[E]:
    partition = partition_of(model, topic.partitions)
    name = topic.full_name(settings.topic_prefix)
    for raw in read_tail(settings.brokers, name, [partition], MOST):
        try:
            yield decode(kind, raw)
        except UnreadableEvent:
            continue


def _time(text: str) -> int:
    try:
        return parse_time(text)
    except ValueError as error:
        raise CommandError(f"{text!r} {error}.") from None
