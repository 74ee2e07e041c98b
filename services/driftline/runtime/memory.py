"""In-memory twins of the ports, for unit tests of services."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic

from driftline.runtime.ports import Claim, Payload, Stored


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
    """Keeps what was produced; `confirming` False plays a broker that does not answer."""

    records: list[Produced] = field(default_factory=list)
    confirming: bool = True

    def produce(
        self, topic: str, value: bytes, *, key: str | None = None, partition: int | None = None
    ) -> None:
        self.records.append(Produced(topic, key, partition, value))

    async def flush(self) -> bool:
        return self.confirming

    def of(self, topic: str) -> list[Produced]:
        """What went to one topic, in order."""
        return [record for record in self.records if record.topic == topic]


@dataclass(slots=True)
class MemoryStateStore(Generic[Payload]):
    """States in a dict, fenced like the real one."""

    states: dict[int, Stored[Payload]] = field(default_factory=dict)
    tokens: dict[int, int] = field(default_factory=dict)

    async def claim(self, partition: int, mine: int | None) -> Claim[Payload]:
        before = self.tokens.get(partition, 0)
        self.tokens[partition] = before + 1
        current = mine is not None and mine == before
        return Claim(before + 1, current, None if current else self.states.get(partition))

    async def save(self, partition: int, token: int, state: Stored[Payload]) -> bool:
        if self.tokens.get(partition) != token:
            return False
        self.states[partition] = state
        return True

    async def still_owned(self, tokens: Mapping[int, int]) -> set[int]:
        return {p for p, token in tokens.items() if self.tokens.get(p) == token}
