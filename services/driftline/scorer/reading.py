"""Read the registry: no group, committed records only.

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
from driftline_schemas.topics import REGISTRY

log = structlog.get_logger(__name__)

MOST_RECORDS: Final = 500
POLL_SECONDS: Final = 0.2  # until a stop is noticed; records are brought at once
RETRY_SECONDS: Final = 2.0
Tell = Callable[[Sequence[Wanted]], object]


class Reading:
    """Goes on where it was when the broker comes back. `tell` is called from the thread, first
    with everything, once the registry was read to its end."""

    def __init__(self, brokers: str, prefix: str, tell: Tell) -> None:
        self._brokers = brokers
        self._topic = REGISTRY.full_name(prefix)
        self._tell = tell
        self._fold = Deployments()
        self._next = OFFSET_BEGINNING
        self._was_at_end = False
        self._stopped = Event()

    def run(self) -> None:
        """Until `stop`. BrokenChainError where the registry is damaged: what was told is true,
        nothing after it can be."""
        while not self._stopped.is_set():
            try:
                with closing(Consumer(self._settings(), logger=SILENT)) as consumer:
                    self._read(consumer)
            except KafkaException as error:
                log.warning("waiting", reason=f"the registry cannot be read: {error}")
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
        consumer.assign([TopicPartition(self._topic, 0, self._next)])
        while not self._stopped.is_set():
            # `consume` alone would wait until it has so many: half of a rollback's time.
            if (first := consumer.poll(POLL_SECONDS)) is None:
                continue
            try:
                for message in (first, *consumer.consume(MOST_RECORDS, 0)):
                    self._take(message)
            finally:  # also what came before the damage
                if self._was_at_end and (news := self._fold.news()):
                    self._tell(news)

    def _take(self, message: Message) -> None:
        error = message.error()
        if error is None:
            self._fold.take(message.value() or b"")
            self._next = (message.offset() or 0) + 1
        elif error.name() != "_PARTITION_EOF":
            if not error.retriable():
                raise KafkaException(error)
        elif not self._was_at_end:
            self._was_at_end = True
            self._tell(self._fold.news())  # also where there is nothing
