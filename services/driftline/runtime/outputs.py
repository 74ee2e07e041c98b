"""Outputs by one idempotent confluent producer, called from synchronous handlers (about 1 us)."""

import asyncio
from typing import Any

import structlog
from confluent_kafka import KafkaError, Message, Producer

from driftline.runtime.kafka_log import SILENT
from driftline.runtime.ports import OutputsLostError

log = structlog.get_logger(__name__)

FLUSH_SECONDS = 5.0
FULL_QUEUE_WAIT_SECONDS = 0.05
PARTITION_BY_KEY = -1
MOST_QUEUED = 100_000  # records; from half of it on nothing more is applied


def producer_settings(brokers: str, client_id: str) -> dict[str, Any]:
    """Nothing is dropped or reordered through an outage: records wait until the broker is back."""
    return {
        "bootstrap.servers": brokers,
        "client.id": client_id,
        "acks": "all",
        "enable.idempotence": True,
        "linger.ms": 20,
        "message.timeout.ms": 0,
        "queue.buffering.max.messages": MOST_QUEUED,
        "compression.type": "zstd",  # the journal is kept for ever
        "partitioner": "murmur2_random",
        "delivery.report.only.error": True,
        "message.max.bytes": 1_048_576,
    }


class KafkaOutputs:
    """The port `Outputs` on a real broker."""

    def __init__(self, brokers: str, client_id: str) -> None:
        self._failed: list[KafkaError] = []
        self._producer = Producer(
            {
                **producer_settings(brokers, client_id),
                "on_delivery": self._on_error,
                "error_cb": lambda error: log.warning("producer", error=str(error)),
                "logger": SILENT,
            }
        )

    def _on_error(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self._failed.append(error)

    def produce(
        self, topic: str, value: bytes, *, key: str | None = None, partition: int | None = None
    ) -> None:
        """Queue one record. Where a single chunk overfills the queue, the event loop waits."""
        place = PARTITION_BY_KEY if partition is None else partition
        while True:
            try:
                self._producer.produce(topic, value=value, key=key, partition=place)
            except BufferError:
                self._producer.poll(FULL_QUEUE_WAIT_SECONDS)
            else:
                return

    @property
    def is_full(self) -> bool:
        """Whether half of the queue waits for the broker."""
        return len(self._producer) > MOST_QUEUED // 2

    async def flush(self) -> bool:
        """True when the broker has acknowledged everything that was produced before."""
        left = await asyncio.to_thread(self._producer.flush, FLUSH_SECONDS)
        if self._failed:
            failed, self._failed = self._failed, []
            raise OutputsLostError(f"{len(failed)} records refused, the first: {failed[0]}")
        return not left
