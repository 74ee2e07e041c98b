"""In which order do bytes reach the artifact store, and records Kafka? In that of their making.

A command that names an artifact follows it: a reader that hears of a version finds its bytes. What
comes behind waits too, so that the registry hears of everything in order.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeVar

import structlog

from driftline.runtime import metrics
from driftline.runtime.models.artifacts import ArtifactError, ArtifactStore
from driftline.runtime.ports import Outputs, StoreUnavailableError
from driftline_schemas.registry import Artifact

log = structlog.get_logger(__name__)

T = TypeVar("T")
FLUSH_SECONDS: Final = 5.0
RETRY_SECONDS: Final = 1.0
ROOM_SECONDS: Final = 20.0
MOST_BYTES: Final = 64 << 20
MOST_JOBS: Final = 10_000


@dataclass(frozen=True, slots=True)
class _Record:
    topic: str
    value: bytes
    key: str | None
    partition: int | None


@dataclass(frozen=True, slots=True)
class _Put:
    store: ArtifactStore
    payload: bytes
    then: Callable[[Artifact], None]


@dataclass(frozen=True, slots=True)
class _Awaited:
    find: Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Removal:
    store: ArtifactStore
    digest: str


class Publishing:
    """The port `Outputs`, with artifacts between the records. Belongs to one event loop."""

    def __init__(self, outputs: Outputs) -> None:
        self._outputs = outputs
        self._queue: deque[_Record | _Put | _Awaited | _Removal] = deque()
        self._is_then = False
        self._waiting = 0  # bytes
        self._work: asyncio.Task[None] | None = None
        metrics.ARTIFACTS_WAITING.set_function(lambda: self._waiting)

    @property
    def is_full(self) -> bool:
        """Whether the outputs below take no more."""
        return self._outputs.is_full

    def produce(
        self, topic: str, value: bytes, *, key: str | None = None, partition: int | None = None
    ) -> None:
        """Queue one record, behind what waits."""
        if self._queue and not self._is_then:
            self._queue.append(_Record(topic, value, key, partition))
        else:
            self._outputs.produce(topic, value, key=key, partition=partition)

    def put(self, store: ArtifactStore, payload: bytes, then: Callable[[Artifact], None]) -> None:
        """Keep the bytes, then call `then`; what it produces comes before all that waits."""
        self._waiting += len(payload)
        self._enqueue(_Put(store, payload, then))

    def after(self, find: Callable[[], Awaitable[T]], then: Callable[[T], None]) -> None:
        """Find something out, then call `then`; what it produces comes before all that waits."""

        async def found() -> None:
            result = await find()
            self._in_turn(lambda: then(result))

        self._enqueue(_Awaited(found))

    def remove(self, store: ArtifactStore, digest: str) -> None:
        """Let bytes go. Where that fails they stay, and it is logged."""
        self._enqueue(_Removal(store, digest))

    def _enqueue(self, job: _Put | _Awaited | _Removal) -> None:
        self._queue.append(job)
        if self._work is None or self._work.done():
            self._work = asyncio.get_running_loop().create_task(self._drain())

    async def _drain(self) -> None:
        while self._queue:
            job = self._queue[0]
            if isinstance(job, _Put):
                await self._keep(job)
            elif isinstance(job, _Awaited):
                await job.find()
            elif isinstance(job, _Removal):
                await self._let_go(job)
            else:
                self._outputs.produce(job.topic, job.value, key=job.key, partition=job.partition)
            self._queue.popleft()

    async def _keep(self, job: _Put) -> None:
        artifact = await self._patiently(job)
        self._waiting -= len(job.payload)
        self._in_turn(lambda: job.then(artifact))

    def _in_turn(self, then: Callable[[], None]) -> None:
        self._is_then = True
        try:
            then()
        finally:
            self._is_then = False

    async def _patiently(self, job: _Put) -> Artifact:
        while True:
            try:
                return await asyncio.to_thread(job.store.put, job.payload)
            except ArtifactError as error:
                log.warning("artifact_not_written", reason=str(error))
                await asyncio.sleep(RETRY_SECONDS)

    async def _let_go(self, job: _Removal) -> None:
        try:
            await asyncio.to_thread(job.store.remove, job.digest)
        except ArtifactError as error:
            log.warning("artifact_not_removed", reason=str(error))

    async def room(self) -> None:
        """Wait while too much waits. Raises StoreUnavailableError when that takes too long."""
        if self._waiting <= MOST_BYTES and len(self._queue) <= MOST_JOBS:
            return
        if not await self._drained(ROOM_SECONDS):
            raise StoreUnavailableError(f"{self._waiting:,} bytes wait for the artifact store")

    async def _drained(self, seconds: float) -> bool:
        work = self._work
        if work is None:
            return True
        await asyncio.wait({work}, timeout=seconds)
        if work.done():
            work.result()  # a bug ends the process
        return work.done()

    async def flush(self) -> bool:
        """True when all artifacts lie where they should and all records are acknowledged."""
        return await self._drained(FLUSH_SECONDS) and await self._outputs.flush()
