"""In-memory twin of the joiner's store, for unit tests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from driftline.core.joining.halves import Half, Place
from driftline.joiner.store import JoinDelta, JoinPayload, JoinWhole
from driftline.runtime.ports import Claim, Stored, StoreUnavailableError


@dataclass(slots=True)
class _Partition:
    token: int = 0
    sequence: int = 0
    offsets: Mapping[str, int] | None = None  # None: nothing was saved
    topic_ids: Mapping[str, str] = field(default_factory=dict)
    rest: bytes = b"{}"
    halves: dict[Place, Half] = field(default_factory=dict)
    labels: dict[int, bytes] = field(default_factory=dict)
    remainders: list[tuple[int, dict[int, bytes]]] = field(default_factory=list)


@dataclass(slots=True)
class MemoryJoins:
    """What Redis holds. It outlives the stores, as Redis outlives the processes."""

    partitions: dict[int, _Partition] = field(default_factory=dict)
    away: bool = False

    def of(self, partition: int) -> _Partition:
        if self.away:
            raise StoreUnavailableError("away")
        return self.partitions.setdefault(partition, _Partition())


class MemoryJoinStore:
    """The port `StateStore` for the joiner, as one process sees it."""

    def __init__(self, joins: MemoryJoins) -> None:
        self._joins = joins
        self._sequence: dict[int, int] = {}

    async def claim(self, partition: int, mine: int | None) -> Claim[JoinPayload]:
        kept = self._joins.of(partition)
        before, kept.token = kept.token, kept.token + 1
        if mine is not None and mine == before:
            return Claim(kept.token, True, None)
        self._sequence[partition] = kept.sequence
        if kept.offsets is None:
            return Claim(kept.token, False, None)
        stored = dict(sorted(kept.halves, key=lambda place: place[1]))
        remainders = [pair for _, blob in kept.remainders for pair in blob.items()]
        whole = JoinWhole(orjson.loads(kept.rest), stored, dict(kept.labels), remainders)
        return Claim(kept.token, False, Stored(kept.offsets, kept.topic_ids, whole))

    async def save(self, partition: int, token: int, state: Stored[JoinPayload]) -> bool:
        kept, delta, before = self._joins.of(partition), state.payload, self._sequence[partition]
        if not isinstance(delta, JoinDelta):
            raise TypeError("a joiner saves deltas")
        if kept.token != token or kept.sequence not in (before, before + 1):
            return False
        self._sequence[partition] = before + 1
        if kept.sequence == before:
            kept.sequence = before + 1
            kept.offsets, kept.topic_ids = dict(state.offsets), dict(state.topic_ids)
            kept.rest = orjson.dumps(delta.rest)
            _change(kept, delta)
        return True

    async def still_owned(self, tokens: Mapping[int, int]) -> set[int]:
        return {p for p, token in tokens.items() if self._joins.of(p).token == token}

    async def fetch(self, partition: int, places: Sequence[Place]) -> dict[int, Half]:
        halves = self._joins.of(partition).halves
        return {place[0]: halves[place] for place in places if place in halves}


def _change(kept: _Partition, delta: JoinDelta) -> None:
    for place in delta.deleted:
        kept.halves.pop(place, None)
    for key, (offset, time, body, _) in delta.moved.items():
        kept.halves[key, time] = Half(offset, time, body)
    for key, raw in delta.labels.items():
        if raw is None:
            kept.labels.pop(key, None)
        else:
            kept.labels[key] = raw
    if delta.remainders:
        kept.remainders.append((delta.remainders_until, dict(delta.remainders)))
    while kept.remainders and kept.remainders[0][0] < delta.remainders_since:
        del kept.remainders[0]
