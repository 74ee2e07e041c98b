"""Read one partition of `notifications` to its end, outside any group."""

from collections.abc import Iterator
from contextlib import closing
from time import monotonic
from typing import Final

import structlog
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from driftline.runtime.errors import DriftlineError
from driftline.runtime.outputs import silent_logger

log = structlog.get_logger(__name__)

SECONDS: Final = 15.0
POLL_SECONDS: Final = 0.5


def read_partition(brokers: str, topic: str, partition: int) -> list[bytes | None]:
    """All values, oldest first. DriftlineError when that takes longer than 15 s."""
    return list(_read(brokers, topic, partition))


def _read(brokers: str, topic: str, partition: int) -> Iterator[bytes | None]:
    deadline = monotonic() + SECONDS
    with closing(Consumer(_settings(brokers, topic), logger=silent_logger())) as consumer:
        consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING)])
        while monotonic() < deadline:
            if (message := consumer.poll(POLL_SECONDS)) is None:
                continue
            if (error := message.error()) is None:
                yield message.value()
            elif error.name() == "_PARTITION_EOF":
                return
            else:
                log.warning("notifications_unread", partition=partition, error=error.str())
    raise DriftlineError(
        f"{topic} could not be read to its end in {SECONDS:.0f} s: without it alerts would be sent"
        " again"
    )


def _settings(brokers: str, topic: str) -> dict[str, str | bool]:
    """librdkafka wants a group's name; with partitions assigned by hand it is not used."""
    return {
        "bootstrap.servers": brokers,
        "group.id": f"{topic}.reader",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "earliest",
    }
