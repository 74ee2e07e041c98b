"""Read the registry and the deployments: all partitions, no group, committed records only.

In a thread of its own: a fact may hold 900 KB of bins, and no request should wait for those.
"""

from collections.abc import Callable, Sequence
from contextlib import closing
from threading import Event
from typing import Any, Final

import structlog
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Message, TopicPartition

from driftline.runtime.kafka_log import SILENT
from driftline.scorer.wanted import Deployments, Wanted
from driftline_schemas.codec import UnreadableEvent
from driftline_schemas.topics import DEPLOYMENTS, REGISTRY, Topic

log = structlog.get_logger(__name__)

READ: Final = (REGISTRY, DEPLOYMENTS)
MOST_RECORDS: Final = 500
POLL_SECONDS: Final = 0.2  # until a stop is noticed; records are brought at once
RETRY_SECONDS: Final = 2.0
Place = tuple[str, int]
Tell = Callable[[Sequence[Wanted]], object]


class Reading:
    """Goes on where it was when the broker comes back. `tell` is called from the thread, first
    with everything, once both topics were read to their ends."""

    def __init__(self, brokers: str, prefix: str, tell: Tell) -> None:
        self._brokers = brokers
        self._topics: dict[str, Topic] = {topic.full_name(prefix): topic for topic in READ}
        self._tell = tell
        self._fold = Deployments()
        self._next: dict[Place, int] = {
            (name, partition): OFFSET_BEGINNING
            for name, topic in self._topics.items()
            for partition in range(topic.partitions)
        }
        self._unread = set(self._next)  # partitions not read to their end yet
        self._stopped = Event()

    def run(self) -> None:
        """Until `stop`. BrokenChainError where the registry is damaged: what was told is true,
        nothing after it can be."""
        while not self._stopped.is_set():
            try:
                with closing(Consumer(self._settings(), logger=SILENT)) as consumer:
                    self._read(consumer)
            except KafkaException as error:
                log.warning("waiting", reason=f"the topics cannot be read: {error}")
                self._stopped.wait(RETRY_SECONDS)

    def stop(self) -> None:
        """`run` returns soon."""
        self._stopped.set()

    def _settings(self) -> dict[str, Any]:
        return {
            "bootstrap.servers": self._brokers,
            "group.id": "driftline-scorer",  # wanted, not used
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
        }

    def _read(self, consumer: Consumer) -> None:
        consumer.assign([TopicPartition(*place, offset) for place, offset in self._next.items()])
        while not self._stopped.is_set():
            # `consume` alone would wait until it has so many: half of a rollback's time.
            if (first := consumer.poll(POLL_SECONDS)) is None:
                continue
            for message in (first, *consumer.consume(MOST_RECORDS, 0)):
                self._take(message)
            if not self._unread and (news := self._fold.news()):
                self._tell(news)

    def _take(self, message: Message) -> None:
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        error = message.error()
        if error is not None and error.name() != "_PARTITION_EOF":
            if not error.retriable():
                raise KafkaException(error)
            return
        if topic is None or partition is None or offset is None:
            return
        if error is not None:
            self._at_end((topic, partition))
            return
        try:
            self._fold.take(self._topics[topic], message.value())
        except UnreadableEvent as fault:
            log.warning("unreadable", topic=topic, offset=offset, reason=str(fault))
        self._next[topic, partition] = offset + 1

    def _at_end(self, place: Place) -> None:
        if place in self._unread:
            self._unread.discard(place)
            if not self._unread:
                self._tell(self._fold.news())  # also where there is nothing
