"""What lies in a range of the journal? Joined records of one model, read without a group."""

from dataclasses import dataclass, field
from typing import Any, Final

import orjson
import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from driftline.core.learning.materials import Failure, RangeNeed
from driftline.core.learning.rows import MAX_BYTES, Recorded
from driftline.core.monitoring.identities import LabelIdentities
from driftline.runtime.ports import StoreUnavailableError
from driftline_schemas.codec import UnreadableEvent, decode
from driftline_schemas.journal import Joined

log = structlog.get_logger(__name__)

POLL_MS: Final = 1_000


@dataclass(slots=True)
class Collecting:
    """The rows of a range so far; a repeated record counts once. `size` in bytes of the records."""

    need: RangeNeed
    rows: list[Any] = field(default_factory=list)
    size: int = 0
    _time: int = 0
    _identities: LabelIdentities = field(default_factory=LabelIdentities)

    def add(self, offset: int, time: int, raw: bytes | None) -> None:
        """Take in the next record of the partition."""
        self._time = max(self._time, time)
        self._identities.advance(self._time)
        if not self.need.first <= offset <= self.need.last or (joined := self._read(raw)) is None:
            return
        if self._identities.is_new(joined.label_tp):
            self.size += len(raw or b"")
            self.rows.append((joined.features, joined.label))

    def _read(self, raw: bytes | None) -> Joined | None:
        try:
            told = orjson.loads(raw or b"null")
            if not isinstance(told, dict) or told.get("kind") != "joined":
                return None
            if told.get("model") != self.need.model:
                return None
            return decode(Joined, raw)
        except (orjson.JSONDecodeError, UnreadableEvent):
            return None  # a dead letter of whoever folded it

    def result(self) -> Recorded | Failure:
        """All of it, unless it was too much."""
        if self.size > MAX_BYTES:
            return Failure(
                f"the range of the journal has more than {MAX_BYTES >> 20} MB of records"
            )
        return Recorded(self.rows)


@dataclass(frozen=True, slots=True)
class KafkaRanges:
    """The port `JournalRanges` on a real broker."""

    brokers: str
    topic: str

    async def joined(self, partition: int, need: RangeNeed) -> Recorded | Failure:
        """Raises StoreUnavailableError if the broker does not answer."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.brokers, enable_auto_commit=False, auto_offset_reset="earliest"
        )
        try:
            await consumer.start()
            return await _read(consumer, TopicPartition(self.topic, partition), need)
        except KafkaError as error:
            raise StoreUnavailableError(f"{self.topic} cannot be read: {error!r}") from error
        finally:
            await consumer.stop()


async def _read(
    consumer: AIOKafkaConsumer, tp: TopicPartition, need: RangeNeed
) -> Recorded | Failure:
    consumer.assign([tp])
    begin = (await consumer.beginning_offsets([tp]))[tp]
    end = min(need.last + 1, (await consumer.end_offsets([tp]))[tp])
    consumer.seek(tp, max(begin, need.first))
    found = Collecting(need)
    while await consumer.position(tp) < end and found.size <= MAX_BYTES:
        for records in (await consumer.getmany(tp, timeout_ms=POLL_MS)).values():
            for record in records:
                found.add(record.offset, record.timestamp, record.value)
    return found.result()


@dataclass(slots=True)
class MemoryRanges:
    """The in-memory twin: records as (offset, append time, bytes)."""

    records: list[tuple[int, int, bytes]] = field(default_factory=list)

    async def joined(self, partition: int, need: RangeNeed) -> Recorded | Failure:
        found = Collecting(need)
        for record in self.records:
            found.add(*record)
        return found.result()
