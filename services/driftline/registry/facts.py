"""The log of facts as its one writer sees it: a port, and the real log behind it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from driftline.core.fact_chain import Draft, seal
from driftline.runtime.ports import Clock, StoreUnavailableError
from driftline.runtime.registry_log import (
    RegistryError,
    RegistryFencedError,
    RegistryUnreachableError,
    RegistryWriter,
)
from driftline_schemas.registry import Fact

Learn = Callable[[Fact], None]


class Facts(Protocol):
    """Appends facts, each with the deployment that follows from it, all or nothing."""

    async def open(self, learn: Learn) -> None:
        """Fence every other writer, then give all facts to `learn`, in order.

        StoreUnavailableError: try again. Any other RegistryError: give up.
        """

    async def append(self, draft: Draft) -> Fact:
        """One more fact; it goes to `learn`.

        RegistryFencedError: somebody else opened the log since, and nothing was written.
        StoreUnavailableError: whether it was written is open, only `open` will tell.
        """


class KafkaFacts:
    """The registry and the deployments on a real broker, by a transactional producer."""

    def __init__(self, brokers: str, prefix: str, clock: Clock) -> None:
        self._brokers = brokers
        self._prefix = prefix
        self._clock = clock
        self._writer: RegistryWriter | None = None

    async def open(self, learn: Learn) -> None:
        self._writer = None
        writer = RegistryWriter(self._brokers, self._prefix, self._clock.now, learn)
        try:
            self._writer = await asyncio.to_thread(writer.__enter__)
        except RegistryUnreachableError as error:
            raise StoreUnavailableError(str(error)) from None

    async def append(self, draft: Draft) -> Fact:
        writer = self._writer
        if writer is None:
            raise StoreUnavailableError("the registry is not open")
        try:
            (fact,) = await asyncio.to_thread(writer.append, [draft])
        except RegistryFencedError:
            raise
        except RegistryError as error:
            self._writer = None
            raise StoreUnavailableError(f"the registry was not written: {error}") from error
        return fact


@dataclass(slots=True)
class MemoryLog:
    """A log that several writers may share."""

    facts: list[Fact] = field(default_factory=list)
    records: list[bytes] = field(default_factory=list)
    epoch: int = 0


@dataclass(slots=True)
class MemoryFacts:
    """The in-memory twin. `failing`: the next append fails, and was `written` all the same."""

    log: MemoryLog
    clock: Clock
    failing: bool = False
    written: bool = False
    _epoch: int = -1
    _learn: Learn | None = None

    async def open(self, learn: Learn) -> None:
        self.log.epoch += 1
        self._epoch, self._learn = self.log.epoch, learn
        for fact in self.log.facts:
            learn(fact)

    async def append(self, draft: Draft) -> Fact:
        if self._epoch != self.log.epoch or self._learn is None:
            raise RegistryFencedError("Another writer has opened the log.")
        if self.failing and not self.written:
            self.failing = False
            raise StoreUnavailableError("away")
        previous = self.log.facts[-1] if self.log.facts else None
        fact, raw = seal(draft, previous, self.clock.now())
        self.log.facts.append(fact)
        self.log.records.append(raw)
        if self.failing:
            self.failing = False
            raise StoreUnavailableError("away")
        self._learn(fact)
        return fact
