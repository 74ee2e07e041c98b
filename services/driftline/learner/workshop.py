"""How does a learner come by what a record needs before it can be folded in?

Rows of files and of the journal are fetched, models are trained on their file: in threads, slice by
slice, so that everything else goes on and progress is seen.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Final, Protocol, TypeVar

import structlog

from driftline.core.learning.materials import (
    REFUSALS,
    Failure,
    FileNeed,
    Material,
    ModelNeed,
    Need,
    RangeNeed,
    begin_training,
)
from driftline.core.learning.retraining import Job
from driftline.core.learning.rows import MAX_BYTES, Recorded, Table, read_table
from driftline.core.learning.training import Chances, Training, TrainingFailedError
from driftline.core.learning.versions import Dumped, ModelCodec
from driftline.runtime.models.artifacts import (
    ArtifactError,
    ArtifactStore,
    ArtifactUnavailableError,
)
from driftline.runtime.ports import Clock, StoreUnavailableError
from driftline_schemas.registry import Artifact

log = structlog.get_logger(__name__)

T = TypeVar("T")
SLICE_SECONDS: Final = 0.5
SLICE_ROWS: Final = 50
REMEMBERED: Final = 32  # models that were made: a rebuild or another partition may want them again


class JournalRanges(Protocol):
    """Where joined records of a range are read again."""

    async def joined(self, partition: int, need: RangeNeed) -> Recorded | Failure:
        """Those of the model. Raises StoreUnavailableError if the broker does not answer."""


@dataclass(slots=True)
class Workshop:
    """One per process. `busy_at` (ms): when it last got on."""

    store: ArtifactStore
    journal: JournalRanges
    codec: ModelCodec
    chances: Chances
    clock: Clock
    busy_at: int = 0
    _made: OrderedDict[str, Dumped | Failure] = field(default_factory=OrderedDict)

    async def get(self, partition: int, need: Need) -> Material:
        """What was needed, or why it cannot be had. Raises StoreUnavailableError: try again."""
        self.busy_at = self.clock.now()
        if isinstance(need, RangeNeed):
            return await self.journal.joined(partition, need)
        if isinstance(need, FileNeed):
            return await self.table(need)
        if need.key not in self._made:
            self._made[need.key] = await self._make(need)
            if len(self._made) > REMEMBERED:
                self._made.popitem(last=False)
        return self._made[need.key]

    async def _bytes(self, artifact: Artifact) -> bytes | Failure:
        if artifact.bytes > MAX_BYTES:
            return Failure(f"the file has {artifact.bytes:,} bytes, more than {MAX_BYTES:,}")
        try:
            return await asyncio.to_thread(self.store.get, artifact)
        except ArtifactUnavailableError as error:
            raise StoreUnavailableError(str(error)) from error
        except ArtifactError as error:
            return Failure(str(error))

    async def table(self, need: FileNeed) -> Table | Failure:
        """The rows of a file. Raises StoreUnavailableError: try again."""
        payload = await self._bytes(need.artifact)
        if isinstance(payload, Failure):
            return payload
        return await _refusable(lambda: read_table(payload))

    async def _make(self, need: ModelNeed) -> Dumped | Failure:
        payload = await self._bytes(need.source.artifact)
        if isinstance(payload, Failure):
            return payload
        training = await _refusable(lambda: begin_training(need, payload, self.chances))
        if isinstance(training, Failure):
            return training
        if why := await self.train(training, training.total):
            return Failure(why)
        log.info("trained", pipeline=need.plan.pipeline, rows=training.done)
        try:
            return await asyncio.to_thread(self.codec.dump, training.model)
        except Exception as error:  # noqa: BLE001 - a model that cannot be written breaks its pipeline
            return Failure(f"cannot be written: {error!r}")

    async def advance(self, job: Job, rows: Table | Recorded, upto: int) -> None:
        """Let a job learn so many rows. What it cannot learn, the fold finds out at its place."""
        training = await _refusable(lambda: job.open(rows, self.codec, self.chances))
        if not isinstance(training, Failure):
            await self.train(training, upto)

    async def train(self, training: Training, upto: int) -> str | None:
        """Let it learn so many rows; why it cannot, if it cannot."""
        target = min(upto, training.total)
        while training.done < target:
            try:
                await asyncio.to_thread(_slice, training, target)
            except TrainingFailedError as error:
                return str(error)
            self.busy_at = self.clock.now()
        return None


def _slice(training: Training, target: int) -> None:
    until = monotonic() + SLICE_SECONDS
    while training.done < target and monotonic() < until:
        training.learn(min(training.done + SLICE_ROWS, target))


async def _refusable(make: Callable[[], T]) -> T | Failure:
    try:
        return await asyncio.to_thread(make)
    except REFUSALS as error:
        return Failure(str(error))
