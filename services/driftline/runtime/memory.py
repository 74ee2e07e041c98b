"""In-memory twins of the ports, for unit tests of services."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic

from driftline.runtime.ports import (
    TP,
    Claim,
    OutputsLostError,
    Payload,
    Stored,
    StoreUnavailableError,
)


@dataclass(slots=True)
class ManualClock:
    """A clock that moves when told."""

    millis: int = 0

    def now(self) -> int:
        return self.millis

    def advance(self, millis: int) -> None:
        self.millis += millis


@dataclass(frozen=True, slots=True)
class MemoryRecord:
    """A consumed record."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


@dataclass(frozen=True, slots=True)
class Produced:
    """A record that was handed to the outputs."""

    topic: str
    key: str | None
    partition: int | None
    value: bytes


@dataclass(slots=True)
class MemoryOutputs:
    """Keeps what was produced. It can play a broker that does not answer, or one that refuses."""

    records: list[Produced] = field(default_factory=list)
    confirming: bool = True
    losing: bool = False  # the next flush finds everything since the last one refused
    is_full: bool = False
    _confirmed: int = 0

    def produce(
        self, topic: str, value: bytes, *, key: str | None = None, partition: int | None = None
    ) -> None:
        self.records.append(Produced(topic, key, partition, value))

    async def flush(self) -> bool:
        if self.losing:
            self.losing = False
            del self.records[self._confirmed :]
            raise OutputsLostError("refused")
        if self.confirming:
            self._confirmed = len(self.records)
        return self.confirming

    def of(self, topic: str) -> list[Produced]:
        """What went to one topic, in order."""
        return [record for record in self.records if record.topic == topic]


@dataclass(slots=True)
class MemoryStateStore(Generic[Payload]):
    """States in a dict, fenced like the real one; `away` plays a store that does not answer."""

    states: dict[int, Stored[Payload]] = field(default_factory=dict)
    tokens: dict[int, int] = field(default_factory=dict)
    away: bool = False

    def _check(self) -> None:
        if self.away:
            raise StoreUnavailableError("away")

    async def claim(self, partition: int, mine: int | None) -> Claim[Payload]:
        self._check()
        before = self.tokens.get(partition, 0)
        self.tokens[partition] = before + 1
        current = mine is not None and mine == before
        return Claim(before + 1, current, None if current else self.states.get(partition))

    async def save(self, partition: int, token: int, state: Stored[Payload]) -> bool:
        self._check()
        if self.tokens.get(partition) != token:
            return False
        self.states[partition] = state
        return True

    async def still_owned(self, tokens: Mapping[int, int]) -> set[int]:
        self._check()
        return {p for p, token in tokens.items() if self.tokens.get(p) == token}


@dataclass(slots=True)
class MemoryReader:
    """A small Kafka as one member of a group sees it: logs, positions, committed offsets.

    `poll` is what the consumer's loop does with a real one.
    """

    logs: dict[TP, list[MemoryRecord]] = field(default_factory=dict)
    positions: dict[TP, int] = field(default_factory=dict)  # assigned partitions
    commits: dict[TP, int] = field(default_factory=dict)
    begins: dict[TP, int] = field(default_factory=dict)
    sought: list[tuple[TP, int]] = field(default_factory=list)
    rejoins: int = 0
    refusing_commits: bool = False

    def append(self, tp: TP, value: bytes | None, *, timestamp: int, offset: int = -1) -> int:
        """Write one record; a later offset than the next one leaves a hole. Its offset."""
        log = self.logs.setdefault(tp, [])
        if offset < 0:
            offset = log[-1].offset + 1 if log else 0
        log.append(MemoryRecord(offset, timestamp, None, value))
        return offset

    def delete_before(self, tp: TP, offset: int) -> None:
        """Retention: older records are gone."""
        self.logs[tp] = [record for record in self.logs[tp] if record.offset >= offset]
        self.begins[tp] = offset

    def assign(self, tps: Collection[TP]) -> None:
        """A rebalance: positions are the committed offsets."""
        self.positions = {tp: self.commits.get(tp, 0) for tp in tps}

    def poll(self, asked: Collection[TP], most: int = 1_000) -> dict[TP, Sequence[MemoryRecord]]:
        """Up to `most` records of each partition asked for; moves on."""
        brought: dict[TP, Sequence[MemoryRecord]] = {}
        for tp in sorted(set(asked) & set(self.positions)):
            position = self.positions[tp]
            records = [r for r in self.logs.get(tp, ()) if r.offset >= position][:most]
            if records:
                brought[tp] = records
                self.positions[tp] = records[-1].offset + 1
        return brought

    async def committed(self, tp: TP) -> int | None:
        return self.commits.get(tp)

    async def begin(self, tps: Collection[TP]) -> Mapping[TP, int]:
        return {tp: self.begins.get(tp, 0) for tp in tps}

    async def end(self, tps: Collection[TP]) -> Mapping[TP, int]:
        return {tp: self.highwater(tp) for tp in tps}

    async def seek(self, offsets: Mapping[TP, int]) -> None:
        if missing := set(offsets) - set(self.positions):
            raise ValueError(f"not assigned: {sorted(missing)}")
        self.positions |= offsets
        self.sought += offsets.items()

    async def commit(self, offsets: Mapping[TP, int]) -> None:
        if self.refusing_commits:
            raise ConnectionError("refused")
        self.commits |= offsets

    def highwater(self, tp: TP) -> int:
        log = self.logs.get(tp)
        return log[-1].offset + 1 if log else self.begins.get(tp, 0)

    def rejoin(self) -> None:
        self.rejoins += 1
