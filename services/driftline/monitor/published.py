"""Which alerts of a partition are open, as their topic says?"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from driftline.runtime.errors import DriftlineError
from driftline_schemas.alerts import Alert
from driftline_schemas.codec import UnreadableEvent, decode

log = structlog.get_logger(__name__)

OPEN: Final = ("firing", "worse")
POLL_MS: Final = 1_000


class PublishedAlerts(Protocol):
    """What was published, at a start."""

    async def open(self, partition: int) -> Mapping[str, Alert]:
        """The newest revision of each open alert, by id."""


def still_open(alerts: Iterable[Alert]) -> dict[str, Alert]:
    """The open ones, by id. A replay may repeat older revisions: the highest of each id counts."""
    newest: dict[str, Alert] = {}
    for alert in alerts:
        if alert.alert_id not in newest or alert.revision >= newest[alert.alert_id].revision:
            newest[alert.alert_id] = alert
    return {name: alert for name, alert in newest.items() if alert.status in OPEN}


@dataclass(frozen=True, slots=True)
class KafkaAlerts:
    """Reads a partition of the topic to its end; it joins no group and commits nothing."""

    brokers: str
    topic: str

    async def open(self, partition: int) -> Mapping[str, Alert]:
        """Raises DriftlineError if the broker does not answer."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.brokers, enable_auto_commit=False, auto_offset_reset="earliest"
        )
        try:
            await consumer.start()
            return still_open(await _read(consumer, TopicPartition(self.topic, partition)))
        except KafkaError as error:
            raise DriftlineError(f"the topic {self.topic} cannot be read: {error!r}") from error
        finally:
            await consumer.stop()


async def _read(consumer: AIOKafkaConsumer, tp: TopicPartition) -> list[Alert]:
    consumer.assign([tp])
    await consumer.seek_to_beginning(tp)
    end = (await consumer.end_offsets([tp]))[tp]
    alerts: list[Alert] = []
    while await consumer.position(tp) < end:
        for records in (await consumer.getmany(tp, timeout_ms=POLL_MS)).values():
            alerts += [alert for record in records if (alert := _alert(record.value)) is not None]
    return alerts


def _alert(raw: bytes | None) -> Alert | None:
    try:
        return decode(Alert, raw)
    except UnreadableEvent as error:
        log.warning("unreadable_alert", error=str(error))
        return None


@dataclass(slots=True)
class MemoryAlerts:
    """The in-memory twin."""

    alerts: list[Alert] = field(default_factory=list)

    async def open(self, partition: int) -> Mapping[str, Alert]:
        return still_open(self.alerts)
