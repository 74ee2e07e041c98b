"""Follow the registry: all committed facts from the start, in order, their chain checked."""

import asyncio
from collections.abc import Iterator
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition

from driftline.core.fact_chain import follow
from driftline.runtime.kafka_log import SILENT
from driftline.runtime.ports import StoreUnavailableError
from driftline_schemas.registry import Fact
from driftline_schemas.topics import REGISTRY

CALL_SECONDS = 5.0


class RegistryFollower:
    """Reads the registry without a group; each call gives the facts written since the last one.

    `action`: only facts of this one are given. All are checked, and none is held any longer than
    it takes: there may be millions.
    """

    def __init__(self, brokers: str, prefix: str, action: str | None = None) -> None:
        self._partition = TopicPartition(REGISTRY.full_name(prefix), 0, OFFSET_BEGINNING)
        self._brokers = brokers
        self._action = action
        self._consumer: Consumer | None = None
        self._last: Fact | None = None
        self._next = 0
        self._new: list[Fact] = []  # read, not given yet: a call may fail halfway

    async def read_new(self) -> list[Fact]:
        """The facts up to the end of the log as it is now; StoreUnavailableError without broker.

        BrokenChainError if the log is damaged.
        """
        return await asyncio.to_thread(self.read)

    def read(self) -> list[Fact]:
        """As `read_new`; it blocks."""
        for fact in self.iterate():
            self._new.append(fact)
        new, self._new = self._new, []
        return new

    def iterate(self) -> Iterator[Fact]:
        """As `read`, one by one, as they are read: those that came before an error are given."""
        try:
            consumer = self._connected()
            _, end = consumer.get_watermark_offsets(self._partition, timeout=CALL_SECONDS)
            yield from self._read_to(consumer, end)
        except KafkaException as error:
            raise StoreUnavailableError(f"registry: {error.args[0]}") from None

    def _read_to(self, consumer: Consumer, end: int) -> Iterator[Fact]:
        while self._next < end:
            message = consumer.poll(CALL_SECONDS)
            if message is None:
                raise StoreUnavailableError("the registry cannot be read to its end")
            if (error := message.error()) is None:
                fact = self._last = follow(message.value() or b"", self._last)
                self._next = (message.offset() or 0) + 1
                if self._action in (None, fact.action):
                    yield fact
            elif error.name() == "_PARTITION_EOF":
                self._next = max(self._next, message.offset() or 0)  # past transaction markers
            elif not error.retriable():
                raise KafkaException(error)

    def _connected(self) -> Consumer:
        if self._consumer is None:
            settings: dict[str, Any] = {
                "bootstrap.servers": self._brokers,
                "group.id": f"{self._partition.topic}.follower",  # wanted, not used
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "isolation.level": "read_committed",
            }
            self._consumer = Consumer(settings, logger=SILENT)
            self._consumer.assign([self._partition])
        return self._consumer
