"""`driftline alerts`: follow the alerts as they are published, try a channel out."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import closing
from enum import StrEnum
from typing import Annotated, Any, Final

import typer
from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, Message, TopicPartition

from driftline.cli.console import (
    Brokers,
    Json,
    Prefix,
    note,
    put,
    put_json,
    put_json_line,
    reached,
    visible,
)
from driftline.cli.errors import CommandError
from driftline.runtime.clock import SystemClock
from driftline.runtime.kafka_log import SILENT
from driftline.runtime.settings import Settings, load
from driftline.runtime.topic_admin import find_topics
from driftline_schemas.alerts import Alert
from driftline_schemas.codec import UnreadableEvent, decode, encode
from driftline_schemas.topics import ALERTS

app = typer.Typer(help="Read alerts, try channels out.", no_args_is_help=True)


class ChannelName(StrEnum):
    """Ways to reach people."""

    slack = "slack"
    pagerduty = "pagerduty"
    webhook = "webhook"


VARIABLES: Final = {
    ChannelName.slack: "DRIFTLINE_SLACK_WEBHOOK_URL",
    ChannelName.pagerduty: "DRIFTLINE_PAGERDUTY_ROUTING_KEY",
    ChannelName.webhook: "DRIFTLINE_WEBHOOK_URL",
}


@app.callback()
def alerts() -> None:
    """Read alerts, try channels out."""


@app.command()
def tail(
    model: Annotated[str | None, typer.Option(help="Only this model's alerts.")] = None,
    from_start: Annotated[bool, typer.Option("--from-start", help="Old ones first.")] = False,
    follow: Annotated[bool, typer.Option(help="Wait for more; else end at the end.")] = True,
    brokers: Brokers = None,
    prefix: Prefix = None,
    json: Json = False,
) -> None:
    """Print each revision of an alert, as it is published."""
    settings = reached(brokers, prefix)
    topic = ALERTS.full_name(settings.topic_prefix)
    if topic not in find_topics(settings):
        raise CommandError(f"Topic {topic} does not exist: run `driftline topics init`.")
    clock = SystemClock()
    for message in _messages(settings, topic, from_start=from_start, follow=follow):
        _show(message, model, clock.now, as_json=json)


@app.command("test")
def try_channel(
    name: Annotated[ChannelName, typer.Argument(metavar="CHANNEL", help="Which one.")],
    end: Annotated[
        bool, typer.Option("--end", help="End it: PagerDuty closes the test's incident.")
    ] = False,
    json: Json = False,
) -> None:
    """Send one notification, marked as a test, to slack, pagerduty or webhook.

    Exit code 1: the channel is not configured, or did not take it.
    """
    # An HTTP client is heavy, and no other command here needs it.
    from driftline.alerter.channel import Sent
    from driftline.alerter.configured import channels
    from driftline.alerter.trial import test_alert, try_out

    found = [channel for channel in channels(load()) if channel.name == name]
    if not found:
        raise CommandError(
            f"{name} is not configured: set {VARIABLES[name]} (or {VARIABLES[name]}_FILE)."
        )
    alert = test_alert(name, SystemClock().now(), is_over=end)
    trial = asyncio.run(try_out(found[0], alert))
    if not isinstance(trial.outcome, Sent):
        said = f"answered {trial.outcome.reason}" if trial.status else trial.outcome.reason
        raise CommandError(f"{name} did not take the test notification: {said}.")
    if json:
        put_json({"channel": name, "answered": trial.status, "alert_id": alert.alert_id})
    else:
        put(f"{name} took test notification {alert.alert_id}: it answered {trial.status}.")


def human_line(alert: Alert, now: int) -> str:
    """Status, model, check, summary, age."""
    status = alert.status.upper().ljust(9)
    told = visible(f"{alert.model}  {alert.check}  {alert.summary}")
    return f"{status} {told}  ({age(now - alert.at)} ago)"


def age(milliseconds: int) -> str:
    """`5 s`, `12 min`, `3 h`, `2 d`."""
    seconds = max(0, milliseconds) // 1_000
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _show(message: Message, model: str | None, now: Callable[[], int], *, as_json: bool) -> None:
    try:
        alert = decode(Alert, message.value())
    except UnreadableEvent as error:
        note(f"{message.topic()} [{message.partition()}, {message.offset()}]: {error}")
        return
    if model not in (None, alert.model):
        return
    if as_json:
        put_json_line(encode(alert))
    else:
        put(human_line(alert, now()))


def _messages(
    settings: Settings, topic: str, *, from_start: bool, follow: bool
) -> Iterator[Message]:
    """Records of all partitions, without a group, until the end or for ever."""
    start = OFFSET_BEGINNING if from_start else OFFSET_END
    consumer = Consumer(_reader_settings(settings, topic), logger=SILENT)
    unread = set(range(ALERTS.partitions))
    with closing(consumer):
        consumer.assign([TopicPartition(topic, partition, start) for partition in unread])
        while follow or unread:
            if (message := consumer.poll(0.5)) is None:
                continue
            if (error := message.error()) is None:
                yield message
            elif error.name() == "_PARTITION_EOF":
                unread.discard(message.partition() or 0)


def _reader_settings(settings: Settings, topic: str) -> dict[str, Any]:
    return {
        "bootstrap.servers": settings.brokers,
        "group.id": f"{topic}.reader",  # wanted, not used
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "isolation.level": "read_committed",
    }
