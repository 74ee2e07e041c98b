"""Read one partition of `notifications` to its end, outside any group."""

from collections.abc import Iterator
from contextlib import closing
from time import monotonic
from typing import Final

import structlog
from confluent_kafka import Consumer, KafkaException, TopicPartition

from driftline.runtime.errors import DriftlineError
from driftline.runtime.kafka_log import SILENT

log = structlog.get_logger(__name__)

SECONDS: Final = 15.0
POLL_SECONDS: Final = 0.5


def read_partition(brokers: str, topic: str, partition: int) -> list[bytes | None]:
    """All values, oldest first. DriftlineError when that fails, or takes longer than 15 s."""
    return list(_read(brokers, topic, partition))


def _read(brokers: str, topic: str, partition: int) -> Iterator[bytes | None]:
    deadline = monotonic() + SECONDS
    with closing(Consumer(_settings(brokers, topic), logger=SILENT)) as consumer:
        try:
            # Besides telling the first offset this finds the partition's leader: a consumer that is
            # assigned a partition before it knows that waits for half a second.
            first, _ = consumer.get_watermark_offsets(TopicPartition(topic, partition), SECONDS)
        except KafkaException as refused:
            raise _unread(topic, refused.args[0].str()) from None
        consumer.assign([TopicPartition(topic, partition, first)])
        while monotonic() < deadline:
            if (message := consumer.poll(POLL_SECONDS)) is None:
                continue
            if (error := message.error()) is None:
                yield message.value()
            elif error.name() == "_PARTITION_EOF":
                return
            else:
                log.warning("notifications_unread", partition=partition, error=error.str())
    raise _unread(topic, f"its end was not reached in {SECONDS:.0f} s")


def _unread(topic: str, why: str) -> DriftlineError:
    return DriftlineError(
        f"{topic} could not be read ({why}): without it alerts would be sent again"
    )


def _settings(brokers: str, topic: str) -> dict[str, str | bool | int]:
    """librdkafka wants a group's name; with partitions assigned by hand it is not used."""
    return {
        "bootstrap.servers": brokers,
        "group.id": f"{topic}.reader",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "earliest",
        "fetch.wait.max.ms": 10,  # the end is told after this wait: half a second by default
    }
