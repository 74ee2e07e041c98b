"""Alerts, a scripted receiver and an alerter in memory, for the tests of this folder."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson
from pydantic import SecretStr

from driftline.alerter.app import Alerter, assemble
from driftline.alerter.channel import Channel
from driftline.alerter.courier import Courier
from driftline.alerter.pagerduty import PagerDuty
from driftline.alerter.slack import Slack
from driftline.alerter.state import AlerterState
from driftline.alerter.webhook import Webhook
from driftline.runtime.memory import ManualClock, MemoryOutputs, MemoryRecord
from driftline.runtime.ports import Opening
from driftline_schemas.alerts import Alert, Cause
from driftline_schemas.codec import decode, encode
from driftline_schemas.notifications import Notification
from driftline_schemas.topics import ALERTS, NOTIFICATIONS

NOW = 1_795_640_405_000  # 2026-11-25T21:00:05.000Z
HOUR = 3_600_000
PREFIX = "driftline"
ALERTS_TOPIC = ALERTS.full_name(PREFIX)
NOTIFICATIONS_TOPIC = NOTIFICATIONS.full_name(PREFIX)
SLACK_SECRET = "https://hooks.slack.com/services/T0CANARY/B0CANARY/canary-of-slack"
WEBHOOK_SECRET = "https://hooks.example/driftline?token=canary-of-webhook"
ROUTING_SECRET = "canary0routing0key0000000000000a"


def an_alert(**changes: Any) -> Alert:
    """A data incident that fires, unless told otherwise."""
    known: dict[str, Any] = {
        "alert_id": "0123456789abcdef",
        "fingerprint": "fedcba9876543210",
        "status": "firing",
        "revision": 1,
        "at": NOW,
        "severity": "error",
        "model": "segments",
        "model_version": "frozen-1",
        "check": "data",
        "scope": "model",
        "opened_at": NOW - 5_000,
        "opened_by": ("driftline.journal.v1", 3, 1_804),
        "value": 0.412345,
        "threshold": 0.1,
        "effect": 0.412345,
        "n": 214,
        "coverage": 0.5,
        "cause": [
            Cause(feature="hue-mean", effect=0.412345, first_offset=1_790),
            Cause(feature="value-mean", effect=0.3),
        ],
        "summary": "6 of 18 features moved: hue-mean, value-mean",
        "replay": "driftline replay --model segments --from 1790",
    }
    return Alert.model_validate({**known, **changes})


@dataclass
class Script:
    """Plays a receiver: the next answers in order, then `accepts`; keeps when it was asked."""

    clock: ManualClock
    accepts: httpx.Response
    answers: list[httpx.Response | Callable[[], Any]] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    times: list[int] = field(default_factory=list)

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.bodies.append(orjson.loads(request.content))
        self.times.append(self.clock.now())
        answer = self.answers.pop(0) if self.answers else self.accepts
        result = answer if isinstance(answer, httpx.Response) else await answer()
        assert isinstance(result, httpx.Response)
        # As from the network: not read yet.
        unread = httpx.ByteStream(result.content)
        return httpx.Response(result.status_code, headers=result.headers, stream=unread)


def slack_channel() -> Slack:
    return Slack(SecretStr(SLACK_SECRET))


def pagerduty_channel() -> PagerDuty:
    return PagerDuty(SecretStr(ROUTING_SECRET))


def webhook_channel() -> Webhook:
    return Webhook(SecretStr(WEBHOOK_SECRET))


@dataclass
class Rig:
    """An alerter process in memory that owns one partition; `restart` keeps Kafka only."""

    clock: ManualClock = field(default_factory=lambda: ManualClock(NOW))
    outputs: MemoryOutputs = field(default_factory=MemoryOutputs)
    partition: int = 5
    chosen: Sequence[Channel] = field(
        default_factory=lambda: [slack_channel(), pagerduty_channel()]
    )
    log: list[MemoryRecord] = field(default_factory=list)  # the partition of `alerts`
    scripts: dict[str, Script] = field(init=False)
    alerter: Alerter = field(init=False)
    state: AlerterState = field(init=False)

    def __post_init__(self) -> None:
        self.scripts = {
            "slack": Script(self.clock, httpx.Response(200, text="ok")),
            "pagerduty": Script(self.clock, httpx.Response(202, json={"status": "success"})),
        }
        if "webhook" in [channel.name for channel in self.chosen]:
            self.scripts["webhook"] = Script(self.clock, httpx.Response(204))

    async def start(self, committed: int = 0) -> None:
        """A new process: it opens the partition and reads it from the committed offset on."""
        self.alerter = assemble(self.chosen, PREFIX, self.outputs, self.clock, self._history)
        await self.reopen(committed)

    async def reopen(self, committed: int = 0) -> None:
        opening: Opening[None] = Opening(self.partition, None, {ALERTS_TOPIC: committed}, {}, {})
        self.state = await self.alerter.open(opening)
        if records := self.log[committed:]:
            self.state.apply(ALERTS_TOPIC, records)

    async def _history(self, partition: int) -> list[bytes | None]:
        written = self.outputs.of(NOTIFICATIONS_TOPIC)
        return [record.value for record in written if record.partition == partition]

    def publish(self, *alerts: Alert) -> None:
        """Append to `alerts`; a running state gets the records at once."""
        records = [
            MemoryRecord(len(self.log) + i, self.clock.now(), None, encode(alert))
            for i, alert in enumerate(alerts)
        ]
        self.log += records
        if hasattr(self, "state"):
            self.state.apply(ALERTS_TOPIC, records)

    def courier(self, name: str) -> Courier:
        return next(c for c in self.alerter.couriers if c.channel.name == name)

    @asynccontextmanager
    async def client(self, name: str) -> AsyncIterator[httpx.AsyncClient]:
        transport = httpx.MockTransport(self.scripts[name])
        async with httpx.AsyncClient(transport=transport) as client:
            yield client

    async def deliver(self, *names: str) -> None:
        """Let couriers do all that is due now."""
        for name in names or [channel.name for channel in self.chosen]:
            async with self.client(name) as client:
                while await self.courier(name).step(client, {self.partition}):
                    pass

    async def deliver_until(self, moment: int, *names: str) -> None:
        """Move the clock to each moment at which something is due, up to `moment`."""
        await self.deliver(*names)
        while (due := self._next(names)) is not None and due <= moment:
            self.clock.millis = max(due, self.clock.millis)
            await self.deliver(*names)
        self.clock.millis = moment

    def _next(self, names: Sequence[str]) -> int | None:
        couriers = [c for c in self.alerter.couriers if c.channel.name in names or not names]
        moments = [courier.outbox.next_moment({self.partition}) for courier in couriers]
        return min((moment for moment in moments if moment is not None), default=None)

    def committed(self) -> int:
        """What a checkpoint taken now commits."""
        return self.state.offsets({ALERTS_TOPIC: len(self.log)})[ALERTS_TOPIC]

    def notifications(self, channel: str | None = None) -> list[Notification]:
        written = [decode(Notification, r.value) for r in self.outputs.of(NOTIFICATIONS_TOPIC)]
        return [n for n in written if channel in (None, n.channel)]
