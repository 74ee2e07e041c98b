"""The joiner's state in Redis: halves, labels and remainders, changed by one atomic call.

Keys of a partition, in one cluster slot: `:meta` (token, sequence, what it stands for, overlay),
`:halves` (hash and append time -> offset and compressed body), `:labels` (hash -> waiting labels),
`:remainders` (one blob per checkpoint). Nothing expires by Redis's clock: what would vanish
silently could be neither joined nor reported.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from struct import Struct
from typing import Any, Final

import orjson
import redis.asyncio as aioredis
import zstandard

from driftline.core.joining.halves import Half, Place
from driftline.runtime.ports import Claim, Stored
from driftline.runtime.redis_states import bounded

CLAIM: Final = """
local meta = KEYS[1]
local before = redis.call('HGET', meta, 'token') or ''
local t = redis.call('TIME')
local token = math.max(tonumber(before) or 0, t[1] * 1000 + math.floor(t[2] / 1000)) + 1
redis.call('HSET', meta, 'token', string.format('%d', token))
return {string.format('%d', token), before, redis.call('HGET', meta, 'sequence') or '0',
        redis.call('HGET', meta, 'stands_for') or '', redis.call('HGET', meta, 'rest') or ''}
"""
# ARGV: token, sequence before, sequence now, stands_for, rest, remainders, oldest kept blob time,
# then how many of: half deletes, half fields and values, label deletes, label fields and values.
SAVE: Final = """
local meta, halves, labels, remainders = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
if redis.call('HGET', meta, 'token') ~= ARGV[1] then return 0 end
local sequence = redis.call('HGET', meta, 'sequence') or '0'
if sequence == ARGV[3] then return 1 end
if sequence ~= ARGV[2] then return 0 end
redis.call('HSET', meta, 'sequence', ARGV[3], 'stands_for', ARGV[4], 'rest', ARGV[5])
if ARGV[6] ~= '' then redis.call('RPUSH', remainders, ARGV[6]) end
local first = 12
for index, key in ipairs({halves, halves, labels, labels}) do
  local last = first + tonumber(ARGV[7 + index]) - 1
  while first <= last do
    local till = math.min(first + 3999, last)
    redis.call(index % 2 == 1 and 'HDEL' or 'HSET', key, unpack(ARGV, first, till))
    first = till + 1
  end
end
local oldest = redis.call('LINDEX', remainders, 0)
while oldest and tonumber(string.match(oldest, '^%d+')) < tonumber(ARGV[7]) do
  redis.call('LPOP', remainders)
  oldest = redis.call('LINDEX', remainders, 0)
end
return 1
"""
LOAD_SECONDS: Final = 30.0  # a claim takes over all of a partition, perhaps a million halves
PLACE: Final = Struct(">QQ")
HALF: Final = Struct("<qq")


@dataclass(frozen=True, slots=True)
class JoinDelta:
    """What changed since the last checkpoint; `rest` is the small part, kept whole."""

    rest: Mapping[str, Any] = field(default_factory=dict)
    moved: Mapping[int, Half] = field(default_factory=dict)
    deleted: Sequence[Place] = ()
    labels: Mapping[int, bytes | None] = field(default_factory=dict)  # None: deleted
    remainders: Mapping[int, bytes] = field(default_factory=dict)
    remainders_until: int = 0  # newest first label among them (ms)
    remainders_since: int = 0  # blobs whose newest is older are dropped


@dataclass(frozen=True, slots=True)
class JoinWhole:
    """All that is stored of a partition, as a claim finds it."""

    rest: Mapping[str, Any]
    stored: Mapping[int, int]  # hash -> append time
    labels: Mapping[int, bytes]
    remainders: Sequence[tuple[int, bytes]]


JoinPayload = JoinDelta | JoinWhole


class JoinStore:
    """The port `StateStore` for the joiner: loads whole, saves deltas, fetches single halves."""

    def __init__(self, client: aioredis.Redis, namespace: str) -> None:
        self._client: Any = client
        self._namespace = namespace
        self._sequence: dict[int, int] = {}
        self._compress = zstandard.ZstdCompressor(level=1).compress
        self._decompress = zstandard.ZstdDecompressor().decompress

    def _keys(self, partition: int) -> list[str]:
        slot = f"{{{self._namespace}:{partition}}}"
        return [f"{slot}:{name}" for name in ("meta", "halves", "labels", "remainders")]

    async def claim(self, partition: int, mine: int | None) -> Claim[JoinPayload]:
        """Own the partition; loads all of it unless our memory is current."""
        keys = self._keys(partition)
        reply = await bounded(self._client.eval(CLAIM, 1, keys[0]))
        token, before, sequence, stands_for, rest = reply
        if mine is not None and before == str(mine).encode():
            return Claim(int(token), True, None)
        self._sequence[partition] = int(sequence)
        if not stands_for:
            await bounded(self._client.unlink(*keys[1:]))
            return Claim(int(token), False, None)
        known = orjson.loads(stands_for)
        whole = await self._load(keys, orjson.loads(rest))
        return Claim(int(token), False, Stored(known["offsets"], known["topic_ids"], whole))

    async def _load(self, keys: Sequence[str], rest: Mapping[str, Any]) -> JoinWhole:
        fields = await bounded(self._client.hkeys(keys[1]), LOAD_SECONDS)
        labels = await bounded(self._client.hgetall(keys[2]), LOAD_SECONDS)
        blobs = await bounded(self._client.lrange(keys[3], 0, -1), LOAD_SECONDS)
        places = [PLACE.unpack(field) for field in fields]
        return JoinWhole(
            rest,
            dict(sorted(places, key=lambda place: place[1])),
            {int.from_bytes(key, "big"): value for key, value in labels.items()},
            [pair for blob in blobs for pair in self._read_remainders(blob)],
        )

    async def save(self, partition: int, token: int, state: Stored[JoinPayload]) -> bool:
        """Write a delta; the same one twice is written once."""
        delta = state.payload
        if not isinstance(delta, JoinDelta):
            raise TypeError("a joiner saves deltas")
        before = self._sequence[partition]
        puts = [part for key, half in delta.moved.items() for part in self._half(key, half)]
        deletes = [PLACE.pack(*place) for place in delta.deleted]
        new_labels = [part for key, value in delta.labels.items() if value is not None
                      for part in (_field(key), value)]  # fmt: skip
        old_labels = [_field(key) for key, value in delta.labels.items() if value is None]
        lists = (deletes, puts, old_labels, new_labels)
        stands_for = {"offsets": state.offsets, "topic_ids": state.topic_ids}
        arguments = [
            token, before, before + 1, orjson.dumps(stands_for), orjson.dumps(delta.rest),
            self._write_remainders(delta), delta.remainders_since, *map(len, lists),
        ]  # fmt: skip
        for each in lists:
            arguments += each
        call = self._client.eval(SAVE, 4, *self._keys(partition), *arguments)
        if not await bounded(call):
            return False
        self._sequence[partition] = before + 1
        return True

    async def still_owned(self, tokens: Mapping[int, int]) -> set[int]:
        """The partitions whose token is still ours."""
        if not tokens:
            return set()
        pipe = self._client.pipeline(transaction=False)
        for partition in tokens:
            pipe.hget(self._keys(partition)[0], "token")
        found = await bounded(pipe.execute())
        return {p for (p, token), is_now in zip(tokens.items(), found, strict=True)
                if is_now == str(token).encode()}  # fmt: skip

    async def fetch(self, partition: int, places: Sequence[Place]) -> dict[int, Half]:
        """The stored halves at `places`, in one round trip."""
        fields = [PLACE.pack(*place) for place in places]
        found = await bounded(self._client.hmget(self._keys(partition)[1], fields))
        return {key: self._unpack(raw)
                for (key, _), raw in zip(places, found, strict=True) if raw}  # fmt: skip

    def _half(self, key: int, half: Half) -> tuple[bytes, bytes]:
        body = self._compress(half.raw)
        return PLACE.pack(key, half.time), HALF.pack(half.offset, half.time) + body

    def _unpack(self, raw: bytes) -> Half:
        offset, time = HALF.unpack_from(raw)
        return Half(offset, time, self._decompress(raw[HALF.size :]))

    def _write_remainders(self, delta: JoinDelta) -> bytes:
        """The newest label time in clear text, then the compressed pairs; empty for none."""
        if not delta.remainders:
            return b""
        parts = [_field(key) + len(packed).to_bytes(2, "big") + packed
                 for key, packed in delta.remainders.items()]  # fmt: skip
        return b"%d;%b" % (delta.remainders_until, self._compress(b"".join(parts)))

    def _read_remainders(self, blob: bytes) -> list[tuple[int, bytes]]:
        data = self._decompress(blob[blob.index(b";") + 1 :])
        pairs, at = [], 0
        while at < len(data):
            start = at + 10
            end = start + int.from_bytes(data[at + 8 : start], "big")
            pairs.append((int.from_bytes(data[at : at + 8], "big"), data[start:end]))
            at = end
        return pairs


def _field(key: int) -> bytes:
    return key.to_bytes(8, "big")
