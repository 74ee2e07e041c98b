"""Read given stretches of partitions, without a group: each record with its place and time."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from time import monotonic
from typing import Any, Final

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from driftline.runtime.errors import DriftlineError
from driftline.runtime.kafka_log import SILENT
from driftline.runtime.ports import TP

SECONDS: Final = 10.0
BATCH: Final = 1_000


def read_stretches(
    brokers: str, stretches: Mapping[TP, tuple[int, int]], *, seconds: float | None = None
) -> Iterator[Message]:
    """The records of [first, end) of each partition, in order within one; gaps are no fault.

    `seconds` ends it early. DriftlineError: nothing came for ten seconds.
    """
    unread = {tp: end for tp, (first, end) in stretches.items() if first < end}
    if not unread:
        return
    deadline = monotonic() + seconds if seconds else None
    with closing(Consumer(_settings(brokers), logger=SILENT)) as consumer:
        consumer.assign([TopicPartition(*tp, stretches[tp][0]) for tp in unread])
        heard = monotonic()
        while unread and (deadline is None or monotonic() < deadline):
            for message in consumer.consume(BATCH, 0.2):
                heard = monotonic()
                yield from _taken(message, unread)
            if monotonic() - heard > SECONDS:
                raise DriftlineError(f"No broker answers at {brokers}.")


def _taken(message: Message, unread: dict[TP, int]) -> Iterator[Message]:
    """The message, if it is a record within its stretch; strikes off what is read to its end."""
    tp = TP(message.topic() or "", message.partition() or 0)
    if tp not in unread:
        return
    offset, error = message.offset() or 0, message.error()
    if error is None:
        if offset < unread[tp]:
            yield message
        if offset + 1 >= unread[tp]:
            del unread[tp]
    elif error.name() == "_PARTITION_EOF":
        del unread[tp]
    elif not error.retriable() and error.name() != "_ALL_BROKERS_DOWN":
        raise DriftlineError(f"Topic {tp.topic} cannot be read: {KafkaException(error)}.")


def time_of(message: Message) -> int:
    """When it was appended or created (ms)."""
    return int(message.timestamp()[1])


def _settings(brokers: str) -> dict[str, Any]:
    return {
        "bootstrap.servers": brokers,
        "group.id": "driftline.reading",  # wanted, not used
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "isolation.level": "read_committed",
        "fetch.wait.max.ms": 50,
        "auto.offset.reset": "earliest",  # a stretch whose beginning has been deleted meanwhile
    }
