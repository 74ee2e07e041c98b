"""Where does the state of a partition lie for the day Redis is lost?

Every ten minutes the bytes of a checkpoint go to the artifact store too, and each registered model
of the partition gets a record in `checkpoints` that says where they lie. It is one state for all of
them: they share label positions and input times. Where nobody said where artifacts lie, the monitor
does without.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

import structlog

from driftline.runtime.checkpoint_topic import Checkpoints, key_of
from driftline.runtime.models.artifacts import ArtifactError, ArtifactStore
from driftline.runtime.ports import Clock, Outputs
from driftline_schemas.codec import encode
from driftline_schemas.registry import Checkpoint
from driftline_schemas.topics import CHECKPOINTS

log = structlog.get_logger(__name__)

ROLE: Final = "monitor"
TELL_MS: Final = 600_000  # between two records in `checkpoints`


class PartitionArchive:
    """The states of one partition that were written down. Belongs to one event loop."""

    def __init__(
        self,
        partition: int,
        store: ArtifactStore,
        checkpoints: Checkpoints,
        outputs: Outputs,
        topic: str,
        clock: Clock,
    ) -> None:
        self._partition = partition
        self._store = store
        self._checkpoints = checkpoints
        self._outputs = outputs
        self._topic = topic
        self._clock = clock
        self._at = clock.now()  # when the last one was written; at first as if just now
        self._kept: list[str] = []  # sha256 of what may lie there, the newest last
        self._told: str | None = None  # the newest of which `checkpoints` was told
        self._told_before: str | None = None  # the same, when the last checkpoint was cut
        self._work: asyncio.Task[None] | None = None

    @property
    def row(self) -> list[Any]:
        """What a checkpoint must know of it, as JSON types."""
        return [self._at, self._kept]

    def take_up(self, row: Sequence[Any], payload: bytes) -> None:
        """Go on from a checkpoint with this `row`; it may have been written down itself."""
        self._at, self._kept = row[0], [*row[1], sha256(payload).hexdigest()]

    async def newest(self, up_to: int) -> AsyncIterator[tuple[int, bytes]]:
        """The states that stand for at most this journal offset, the newest first, with their own.
        Raises DriftlineError if the broker does not answer."""
        known = (await self._checkpoints.newest(self._partition)).values()
        told = {checkpoint.offset: checkpoint for checkpoint in known}
        for offset in sorted((offset for offset in told if offset <= up_to), reverse=True):
            try:
                payload = await asyncio.to_thread(self._store.get, told[offset].artifact)
            except ArtifactError as error:
                log.warning("checkpoint_unreadable", partition=self._partition, reason=str(error))
            else:
                yield offset, payload

    def offer(self, payload: bytes, offset: int, models: Sequence[str]) -> None:
        """A checkpoint was cut: it is written down if the last time is long ago."""
        # The checkpoint before is saved, so the broker has what was told before that one was cut.
        acknowledged, self._told_before = self._told_before, self._told
        if not models or self._clock.now() - self._at < TELL_MS:
            return
        if self._work is not None:
            if not self._work.done():
                return
            self._work.result()  # a bug ends the process
        self._at = self._clock.now()
        work = self._write(payload, offset, models, self._older_than(acknowledged))
        self._work = asyncio.get_running_loop().create_task(work)

    def _older_than(self, digest: str | None) -> list[str]:
        return self._kept[: self._kept.index(digest)] if digest in self._kept else []

    async def _write(
        self, payload: bytes, offset: int, models: Sequence[str], superseded: Sequence[str]
    ) -> None:
        try:
            artifact = await asyncio.to_thread(self._store.put, payload)
            self._kept.append(artifact.sha256)
            for model in models:
                told = Checkpoint(role=ROLE, model=model, offset=offset, artifact=artifact)
                self._outputs.produce(self._topic, encode(told), key=key_of(ROLE, model))
            self._told = artifact.sha256
            for digest in superseded:
                await asyncio.to_thread(self._store.remove, digest)
                self._kept.remove(digest)
        except ArtifactError as error:
            log.warning("checkpoint_not_written", partition=self._partition, reason=str(error))


@dataclass(frozen=True, slots=True)
class Archive:
    """Where the monitor's states are written down: a store of artifacts, told of in a topic."""

    url: str
    prefix: str
    checkpoints: Checkpoints
    outputs: Outputs
    clock: Clock

    def of(self, partition: int) -> PartitionArchive:
        """That of one partition. Raises ArtifactError where fsspec cannot speak to the address."""
        root = self.url.rstrip("/")
        return PartitionArchive(
            partition,
            ArtifactStore.at(f"{root}/checkpoints/{self.prefix}/{ROLE}/{partition}"),
            self.checkpoints,
            self.outputs,
            CHECKPOINTS.full_name(self.prefix),
            self.clock,
        )
