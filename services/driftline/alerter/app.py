"""Put the alerter together: its channels from the settings, one courier for each."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import structlog

from driftline.alerter.channel import Channel
from driftline.alerter.configured import channels
from driftline.alerter.courier import Courier, Owner
from driftline.alerter.history import read_partition
from driftline.alerter.state import AlerterState, fold_history
from driftline.alerter.transport import new_client
from driftline.core.delivery.ledger import Ledger
from driftline.core.delivery.outbox import Outbox
from driftline.runtime.clock import SystemClock
from driftline.runtime.dead_letters import DeadLetters
from driftline.runtime.outputs import KafkaOutputs
from driftline.runtime.ports import Clock, Opening, Outputs
from driftline.runtime.service import Service
from driftline.runtime.settings import Settings
from driftline_schemas.topics import ALERTS, NOTIFICATIONS

log = structlog.get_logger(__name__)

ROLE: Final = "alerter"

History = Callable[[int], Awaitable[Iterable[bytes | None]]]  # a partition of `notifications`


@dataclass(slots=True)
class Alerter:
    """What the partitions of one process share."""

    prefix: str
    couriers: Sequence[Courier]
    ledger: Ledger
    refused: DeadLetters
    clock: Clock
    history: History

    async def open(self, opening: Opening[None]) -> AlerterState:
        """A fresh state, once it is known what was told about this partition's alerts."""
        for courier in self.couriers:
            courier.outbox.drop(opening.partition)
        fold_history(self.ledger, await self.history(opening.partition))
        return AlerterState(
            partition=opening.partition,
            ledger=self.ledger,
            couriers=self.couriers,
            refused=self.refused,
            clock=self.clock,
        )


def assemble(
    chosen: Sequence[Channel], prefix: str, outputs: Outputs, clock: Clock, history: History
) -> Alerter:
    """Couriers for the channels, around one ledger."""
    ledger = Ledger()
    topic = NOTIFICATIONS.full_name(prefix)
    return Alerter(
        prefix=prefix,
        couriers=[
            Courier(channel, Outbox(channel.name, ledger), outputs, clock, topic)
            for channel in chosen
        ],
        ledger=ledger,
        refused=DeadLetters(outputs, prefix, ROLE),
        clock=clock,
        history=history,
    )


async def deliver(courier: Courier, owner: Owner) -> None:
    """One channel's background task, with connections of its own."""
    async with new_client(courier.channel.url) as client:
        await courier.run(client, owner)


def build(settings: Settings) -> Service[None]:
    """The alerter as a process."""
    if not (chosen := channels(settings)):
        log.warning("no_channel_configured", effect="alerts pass unsent")
    outputs = KafkaOutputs(settings.brokers, f"{settings.topic_prefix}.{ROLE}.{settings.replica}")
    topic = NOTIFICATIONS.full_name(settings.topic_prefix)

    async def history(partition: int) -> list[bytes | None]:
        return await asyncio.to_thread(read_partition, settings.brokers, topic, partition)

    alerter = assemble(chosen, settings.topic_prefix, outputs, SystemClock(), history)
    return Service(
        role=ROLE,
        topics=(ALERTS,),
        outputs=outputs,
        open_state=alerter.open,
        store=None,
        background=tuple(partial(deliver, courier) for courier in alerter.couriers),
    )
