"""A keeper in an in-memory world: a log, a store, outputs, and a state that counts what it saw."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from driftline.core.arrival_order import ArrivalOrder
from driftline.runtime.keeper import Keeper
from driftline.runtime.memory import (
    ManualClock,
    MemoryOutputs,
    MemoryReader,
    MemoryStateStore,
)
from driftline.runtime.ports import TP, Opening, Record
from driftline.runtime.states import BasicState

P, L = "predictions", "labels"
OUT = "outputs"
DEAD = "dead"


class CountingState(BasicState[bytes]):
    """Remembers every record in order, writes one output for each; raises for `bad` values."""

    def __init__(self, opening: Opening[bytes], world: "World") -> None:
        self.partition = opening.partition
        self.opening = opening
        self.world = world
        self.seen: list[tuple[str, int]] = []
        self.is_ready = self.is_due = True
        self.worked_at = 0
        if opening.payload:
            self.seen = [(topic, offset) for topic, offset in json.loads(opening.payload)]

    async def prepare(self, topic: str, records: Sequence[Record]) -> None:
        assert records, "nothing to prepare"
        if self.world.during_prepare is not None:
            await self.world.during_prepare()

    def apply(self, topic: str, records: Sequence[Record]) -> Awaitable[None] | None:
        if self.world.during_work is not None:
            return self._apply_aside(topic, records, self.world.during_work)
        self._fold(topic, records)
        return None

    async def _apply_aside(
        self, topic: str, records: Sequence[Record], during: Callable[[], Awaitable[None]]
    ) -> None:
        self._fold(topic, records[:1])  # half changed
        await during()
        self._fold(topic, records[1:])

    def _fold(self, topic: str, records: Sequence[Record]) -> None:
        for record in records:
            self.seen.append((topic, record.offset))  # half changed when the next one raises
            if record.value == b"bad":
                raise ValueError("bad")
            if record.offset >= self.opening.committed.get(topic, 0):
                self.world.outputs.produce(
                    OUT, f"{topic} {self.partition} {record.offset}".encode()
                )

    def ready(self) -> bool:
        return self.is_ready

    def due(self) -> bool:
        return self.is_due

    def busy_at(self) -> int:
        return self.worked_at

    def cut(self) -> bytes | Awaitable[bytes]:
        if self.world.during_work is not None:
            return self._cut_aside(self.world.during_work)
        return json.dumps(self.seen).encode()

    async def _cut_aside(self, during: Callable[[], Awaitable[None]]) -> bytes:
        half = self.seen[: len(self.seen) // 2]
        await during()
        return json.dumps(half + self.seen[len(half) :]).encode()


@dataclass(slots=True)
class SlowOutputs(MemoryOutputs):
    """A broker that takes its time: with `hold`, a flush waits for it."""

    hold: asyncio.Event | None = None

    async def flush(self) -> bool:
        if self.hold is not None:
            await self.hold.wait()
        return await MemoryOutputs.flush(self)


@dataclass(slots=True)
class DeadRecords:
    """Where poison goes: to the outputs, as in the product."""

    outputs: MemoryOutputs

    def poison(self, tp: TP, record: Record, error: Exception) -> None:
        self.outputs.produce(DEAD, f"{tp.topic} {tp.partition} {record.offset}".encode())


@dataclass(slots=True)
class World:
    """What outlives a process, and the process of the moment."""

    reader: MemoryReader = field(default_factory=MemoryReader)
    store: MemoryStateStore[bytes] | None = field(default_factory=MemoryStateStore)
    outputs: SlowOutputs = field(default_factory=SlowOutputs)
    clock: ManualClock = field(default_factory=ManualClock)
    topic_ids: Mapping[str, str] = field(default_factory=lambda: {P: "id-p", L: "id-l"})
    during_prepare: Callable[[], Awaitable[None]] | None = None
    during_work: Callable[[], Awaitable[None]] | None = None  # states work in threads, as it were
    lead_ms: int | None = None

    def process(self) -> Keeper[bytes]:
        """A process that has just started."""

        async def open_state(opening: Opening[bytes]) -> CountingState:
            return CountingState(opening, self)

        keeper: Keeper[bytes] = Keeper(
            topics=(P, L),
            open_state=open_state,
            store=self.store,
            outputs=self.outputs,
            poison=DeadRecords(self.outputs),
            clock=self.clock,
            topic_ids=self.topic_ids,
            order=ArrivalOrder(lead_ms=self.lead_ms),
        )
        keeper.reader = self.reader
        return keeper

    def write(self, values: Sequence[bytes], topic: str = P, partition: int = 0) -> None:
        for value in values:
            tp = TP(topic, partition)
            self.reader.append(tp, value, timestamp=self.clock.now())

    async def assign(self, keeper: Keeper[bytes], tps: Collection[TP] = ()) -> None:
        """A rebalance that gives `tps` (partition 0 by default) to the keeper."""
        tps = tps or both(0)
        self.reader.assign(tps)
        self.reader.positions |= await keeper.assign(tps)

    async def read(self, keeper: Keeper[bytes], polls: int = 12, most: int = 1_000) -> None:
        """Poll and apply, as the consumer's loop does."""
        for _ in range(polls):
            asked = keeper.wanted(set(self.reader.positions))
            if asked:
                await keeper.process(asked, self.reader.poll(asked, most))

    def dead(self) -> list[str]:
        return [record.value.decode() for record in self.outputs.of(DEAD)]

    def written(self) -> list[str]:
        return [record.value.decode() for record in self.outputs.of(OUT)]


def both(*partitions: int) -> list[TP]:
    """Both topics' partitions of these numbers."""
    return [TP(topic, p) for p in partitions for topic in (P, L)]


def seen(keeper: Keeper[bytes], partition: int = 0, topic: str = P) -> list[int]:
    """Offsets that the state of a partition has folded in, in order."""
    state = keeper.states[partition]
    assert isinstance(state, CountingState)
    return [offset for name, offset in state.seen if name == topic]


def stored(world: World, partition: int = 0, topic: str = P) -> list[int]:
    """Offsets that the stored state has folded in."""
    assert world.store is not None
    saved = world.store.states.get(partition)
    return [] if saved is None else [o for name, o in json.loads(saved.payload) if name == topic]


async def started(world: World, values: int = 3) -> Keeper[bytes]:
    """A process that has read so many values."""
    world.write([b"a"] * values)
    keeper = world.process()
    await world.assign(keeper)
    await world.read(keeper)
    return keeper
