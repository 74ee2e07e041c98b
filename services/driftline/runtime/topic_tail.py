"""The newest records of a topic's partitions, read without a group."""

from collections.abc import Iterable
from contextlib import closing
from time import monotonic
from typing import Final

from confluent_kafka import Consumer, KafkaException, TopicPartition

from driftline.runtime.errors import DriftlineError
from driftline.runtime.kafka_log import SILENT

SECONDS: Final = 10.0
MOST: Final = 10_000  # records of a topic that is not compacted


def read_tail(
    brokers: str, topic: str, partitions: Iterable[int], most: int | None = None
) -> list[bytes]:
    """Up to `most` records of each partition (None, for a compacted topic: all of them), oldest
    first, to its end as it is now.

    Committed ones only. DriftlineError: no broker answers.
    """
    settings = {
        "bootstrap.servers": brokers,
        "group.id": f"{topic}.tail",  # wanted, not used
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "isolation.level": "read_committed",
        "fetch.wait.max.ms": 50,
    }
    try:
        with closing(Consumer(settings, logger=SILENT)) as consumer:
            starts = [_start(consumer, topic, partition, most) for partition in partitions]
            consumer.assign(starts)
            return _to_the_ends(consumer, {start.partition for start in starts})
    except KafkaException as error:
        raise DriftlineError(f"Topic {topic} cannot be read: {error.args[0].str()}.") from None


def _start(consumer: Consumer, topic: str, partition: int, most: int | None) -> TopicPartition:
    place = TopicPartition(topic, partition)
    low, high = consumer.get_watermark_offsets(place, timeout=SECONDS)
    return TopicPartition(topic, partition, low if most is None else max(low, high - most))


def _to_the_ends(consumer: Consumer, unread: set[int]) -> list[bytes]:
    records: list[bytes] = []
    deadline = monotonic() + SECONDS
    while unread:
        if (message := consumer.poll(0.5)) is None:
            if monotonic() > deadline:
                raise DriftlineError("The broker does not answer.")
            continue
        deadline = monotonic() + SECONDS
        if (error := message.error()) is None:
            records.append(message.value() or b"")
        elif error.name() == "_PARTITION_EOF":
            unread.discard(message.partition() or 0)
        elif not error.retriable():
            raise KafkaException(error)
    return records
