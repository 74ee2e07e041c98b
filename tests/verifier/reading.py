"""What the topics hold: every record of a topic, from its first offset to its end."""

from collections.abc import Iterator
from time import monotonic
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka import Message as KafkaMessage

PATIENCE_S = 30.0
POLL_S = 0.2


class Record(NamedTuple):
    """One record; `timestamp` in milliseconds since the epoch, `key` and `value` as stored."""

    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


class Logs(NamedTuple):
    """All that a verification looks at; `partitions` is that of predictions and of labels."""

    predictions: list[Record]
    labels: list[Record]
    registry: list[Record]
    journal: list[Record]
    unmatched: list[Record]
    dead_letters: list[Record]
    partitions: int
    journal_partitions: int
    prefix: str


def topic_name(prefix: str, name: str) -> str:
    """The name on the broker."""
    return f"{prefix}.{name}.v1"


def read_logs(brokers: str, prefix: str) -> Logs:
    """Every topic from offset 0; inputs first, so that each output read has its input."""

    def read(name: str) -> list[Record]:
        return read_topic(brokers, topic_name(prefix, name), committed=name == "registry")

    return Logs(
        predictions=read("predictions"),
        labels=read("labels"),
        registry=read("registry"),
        journal=read("journal"),
        unmatched=read("unmatched"),
        dead_letters=read("dead-letters"),
        partitions=len(partitions_of(brokers, topic_name(prefix, "predictions"))),
        journal_partitions=len(partitions_of(brokers, topic_name(prefix, "journal"))),
        prefix=prefix,
    )


def read_topic(brokers: str, topic: str, *, committed: bool = False) -> list[Record]:
    """All records, ordered by offset within each partition; KafkaException when it cannot."""
    consumer = _consumer(brokers, committed=committed)
    try:
        partitions = _partitions(consumer, topic)
        consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
        return [_record(message) for message in _messages(consumer, len(partitions))]
    finally:
        consumer.close()


def partitions_of(brokers: str, topic: str) -> list[int]:
    """The partition numbers of a topic; KafkaException when it does not exist."""
    consumer = _consumer(brokers, committed=False)
    try:
        return _partitions(consumer, topic)
    finally:
        consumer.close()


def _consumer(brokers: str, *, committed: bool) -> Any:
    return Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": "verifier",  # required by the client; nothing joins, nothing is committed
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed" if committed else "read_uncommitted",
            "fetch.wait.max.ms": 50,
        }
    )


def _partitions(consumer: Any, topic: str) -> list[int]:
    metadata = consumer.list_topics(topic, timeout=PATIENCE_S).topics[topic]
    if metadata.error is not None:
        raise KafkaException(metadata.error)
    return sorted(metadata.partitions)


def _messages(consumer: Any, partitions: int) -> Iterator[KafkaMessage]:
    ended: set[int] = set()
    heard = monotonic()
    while len(ended) < partitions:
        # It waits for so many messages or the whole time, hence a short one.
        batch = consumer.consume(num_messages=10_000, timeout=0.05)
        heard = monotonic() if batch else heard
        if monotonic() - heard > PATIENCE_S:
            raise TimeoutError(f"no record and no end of a partition within {PATIENCE_S:.0f} s")
        for message in batch:
            if (error := message.error()) is None:
                yield message
            elif error.code() == KafkaError._PARTITION_EOF:
                ended.add(message.partition())
            else:
                raise KafkaException(error)


def _record(message: KafkaMessage) -> Record:
    partition, offset = message.partition(), message.offset()
    assert partition is not None
    assert offset is not None
    return Record(partition, offset, message.timestamp()[1], message.key(), message.value())
