"""Where do the states lie that roles have written down for the day Redis is lost?"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from driftline.runtime.topic_tail import read_tail
from driftline_schemas.codec import UnreadableEvent, decode
from driftline_schemas.partitioner import partition_of
from driftline_schemas.registry import Checkpoint
from driftline_schemas.topics import CHECKPOINTS, JOURNAL

log = structlog.get_logger(__name__)


class Checkpoints(Protocol):
    """The newest checkpoint of each model in a partition of the journal."""

    async def newest(self, partition: int) -> Mapping[str, Checkpoint]:
        """By model. Raises DriftlineError if the broker does not answer."""


def key_of(role: str, model: str) -> str:
    """The key of its record."""
    return f"{role}/{model}"


def newest_of(records: Iterable[Checkpoint], role: str, partition: int) -> Mapping[str, Checkpoint]:
    """Of one role and the models of one journal partition, the last one told of each."""
    return {
        told.model: told
        for told in records
        if told.role == role and partition_of(told.model, JOURNAL.partitions) == partition
    }


@dataclass(frozen=True, slots=True)
class KafkaCheckpoints:
    """Reads the topic to its end; it joins no group and commits nothing."""

    brokers: str
    prefix: str
    role: str

    async def newest(self, partition: int) -> Mapping[str, Checkpoint]:
        topic = CHECKPOINTS.full_name(self.prefix)
        raw = await asyncio.to_thread(read_tail, self.brokers, topic, range(CHECKPOINTS.partitions))
        return newest_of([told for record in raw if (told := _read(record))], self.role, partition)


def _read(raw: bytes) -> Checkpoint | None:
    try:
        return decode(Checkpoint, raw)
    except UnreadableEvent as error:
        log.warning("unreadable_checkpoint", error=str(error))
        return None


@dataclass(slots=True)
class MemoryCheckpoints:
    """The in-memory twin."""

    role: str
    records: list[Checkpoint] = field(default_factory=list)

    async def newest(self, partition: int) -> Mapping[str, Checkpoint]:
        return newest_of(self.records, self.role, partition)
