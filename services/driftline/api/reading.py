"""Read the topics into the folds: all partitions, no group, committed records only."""

import asyncio
from typing import Final

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from driftline.api.folds import READ, TAIL, Folds
from driftline_schemas.topics import Topic

log = structlog.get_logger(__name__)

RETRY_SECONDS: Final = 2.0
POLL_MS: Final = 500


class Reading:
    """Goes on where it was when the broker comes back."""

    def __init__(self, brokers: str, prefix: str, folds: Folds) -> None:
        self._brokers = brokers
        self._folds = folds
        self._topics: dict[str, Topic] = {topic.full_name(prefix): topic for topic in READ}
        self._next: dict[TopicPartition, int] = {}
        self._ends: dict[TopicPartition, int] = {}

    async def run(self) -> None:
        """For ever."""
        while True:
            try:
                await self._read()
            except (KafkaError, OSError) as error:
                log.warning("waiting", reason=f"the topics cannot be read: {error!r}")
                await asyncio.sleep(RETRY_SECONDS)

    async def _read(self) -> None:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._brokers,
            enable_auto_commit=False,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            fetch_max_wait_ms=POLL_MS,
        )
        try:
            await consumer.start()
            await self._start(consumer)
            while True:
                await self._poll(consumer)
        finally:
            await consumer.stop()

    async def _start(self, consumer: AIOKafkaConsumer) -> None:
        tps = [
            TopicPartition(name, partition)
            for name, topic in self._topics.items()
            for partition in range(topic.partitions)
        ]
        consumer.assign(tps)
        begins, ends = await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)
        self._ends = self._ends or ends
        for tp in tps:
            from_start = READ[self._topics[tp.topic]]
            first = begins[tp] if from_start else max(begins[tp], ends[tp] - TAIL)
            consumer.seek(tp, self._next.get(tp, first))

    async def _poll(self, consumer: AIOKafkaConsumer) -> None:
        batches = await consumer.getmany(timeout_ms=POLL_MS)
        for tp, records in batches.items():
            for record in records:
                self._folds.take(self._topics[tp.topic], record.value)
        for tp in consumer.assignment():
            self._next[tp] = await consumer.position(tp)
        if self._folds.damage:
            self._folds.not_ready = self._folds.damage
        elif all(self._next.get(tp, 0) >= end for tp, end in self._ends.items()):
            self._folds.not_ready = None
        self._folds.notify()
