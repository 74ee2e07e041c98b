"""Deliver what waits for one channel, one request at a time.

A delivery is: send, write the notification, wait until the broker has it, only then the next. A
crash in between repeats at most the one delivery whose notification was not acknowledged.
"""

import asyncio
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import httpx
import structlog

from driftline.alerter.channel import Channel, Outcome, Permanent, Retry, Sent
from driftline.alerter.transport import UnreachableError, post
from driftline.core.delivery.backoff import retry_after
from driftline.core.delivery.outbox import Outbox, Waiting
from driftline.runtime import metrics
from driftline.runtime.ports import TP, Clock, Outputs
from driftline_schemas.alerts import Alert
from driftline_schemas.codec import encode
from driftline_schemas.notifications import Notification, notification_key

log = structlog.get_logger(__name__)

IDLE_SECONDS = 1.0  # how often ownership is looked at when nothing happens
FLUSH_PAUSE_SECONDS = 0.2


class Owner(Protocol):
    """Which partitions have a state here, and which of them are ours right now."""

    @property
    def states(self) -> Mapping[int, Any]: ...
    @property
    def owned(self) -> Collection[TP]: ...


@dataclass(slots=True)
class Courier:
    """One channel's loop."""

    channel: Channel
    outbox: Outbox
    outputs: Outputs
    clock: Clock
    topic: str  # notifications, its full name
    woken: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, client: httpx.AsyncClient, owner: Owner) -> None:
        """Deliver for ever."""
        while True:
            self.woken.clear()
            self.outbox.keep(owner.states)
            partitions = {tp.partition for tp in owner.owned}
            if not await self.step(client, partitions):
                await self._rest(partitions)

    async def step(self, client: httpx.AsyncClient, partitions: Collection[int]) -> bool:
        """Deal with the next alert that is due, if there is one."""
        now = self.clock.now()
        oldest = min((waiting.since for waiting in self.outbox), default=0)
        metrics.OLDEST_WAITING.labels(self.channel.name).set(oldest / 1_000)
        if (waiting := self.outbox.take(now, partitions)) is None:
            return False
        if self.outbox.expired(waiting, now):
            log.error("alert_parked", **self._words(waiting))
            await self._conclude(waiting, "parked")
        else:
            await self._deliver(client, waiting)
        return True

    async def _rest(self, partitions: Collection[int]) -> None:
        moment = self.outbox.next_moment(partitions)
        seconds = IDLE_SECONDS if moment is None else (moment - self.clock.now()) / 1_000
        with suppress(TimeoutError):
            await asyncio.wait_for(self.woken.wait(), min(IDLE_SECONDS, max(0.0, seconds)))

    async def _deliver(self, client: httpx.AsyncClient, waiting: Waiting) -> None:
        waiting.attempts += 1
        match await self._attempt(client, waiting.alert):
            case Sent(external_id):
                await self._conclude(waiting, "sent", external_id)
                log.info("alert_sent", **self._words(waiting))
            case Permanent(reason):
                log.error("alert_refused", reason=reason, **self._words(waiting))
                await self._conclude(waiting, "failed")
            case Retry(reason, header):
                log.warning("delivery_failed", reason=reason, **self._words(waiting))
                metrics.DELIVERY_RETRIES.labels(self.channel.name).inc()
                self._try_later(waiting, header)

    def _try_later(self, waiting: Waiting, header: str | None) -> None:
        now = self.clock.now()
        asked = retry_after(header, now)
        self.outbox.again(waiting, now, asked)
        if asked is not None and waiting.due < asked:
            seconds = {"asked_s": (asked - now) // 1_000, "granted_s": (waiting.due - now) // 1_000}
            log.warning("retry_after_shortened", **seconds, **self._words(waiting))

    async def _attempt(self, client: httpx.AsyncClient, alert: Alert) -> Outcome:
        try:
            answer = await post(client, self.channel.request(alert))
        except UnreachableError as error:
            return Retry(str(error))
        return self.channel.judge(answer.status, answer.headers, answer.body)

    async def _conclude(
        self,
        waiting: Waiting,
        result: Literal["sent", "failed", "parked"],
        external_id: str | None = None,
    ) -> None:
        """Write what became of it; it counts as settled when the broker has that."""
        alert = waiting.alert
        notification = Notification(
            alert_id=alert.alert_id,
            status=alert.status,
            revision=alert.revision,
            channel=self.channel.name,
            result=result,
            attempts=waiting.attempts,
            at=self.clock.now(),
            external_id=external_id,
        )
        self.outbox.ledger.note(notification)
        key = notification_key(alert.alert_id, self.channel.name)
        self.outputs.produce(self.topic, encode(notification), key=key, partition=waiting.partition)
        while not await self.outputs.flush():  # noqa: ASYNC110 - the broker is away: ask it again
            await asyncio.sleep(FLUSH_PAUSE_SECONDS)
        self.outbox.settle(waiting)
        metrics.NOTIFICATIONS.labels(self.channel.name, result).inc()
        if result == "sent":
            seconds = max(0, notification.at - alert.at) / 1_000
            metrics.DELIVERY_SECONDS.labels(self.channel.name).observe(seconds)

    def _words(self, waiting: Waiting) -> dict[str, object]:
        alert = waiting.alert
        return {
            "channel": self.channel.name,
            "alert_id": alert.alert_id,
            "revision": alert.revision,
            "status": alert.status,
            "attempts": waiting.attempts,
        }
