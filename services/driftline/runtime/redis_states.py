"""States in Redis, one hash per partition, fenced by a token; every call is bounded in time.

Claims raise the token (never below Redis's own clock, so that a wiped Redis does not start again
under an old one); a save with another token is refused. A full snapshot stands for itself, so it
may also be written into a Redis that has lost everything.
"""

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Any, Final, TypeVar

import orjson
import redis.asyncio as aioredis
from redis.exceptions import RedisError

from driftline.runtime.ports import Claim, Stored, StoreUnavailableError

T = TypeVar("T")
CALL_SECONDS: Final = 3.0  # redis-py's own retries would make one call last 26 s

CLAIM: Final = """
local before = redis.call('HGET', KEYS[1], 'token') or ''
local t = redis.call('TIME')
local token = math.max(tonumber(before) or 0, t[1] * 1000 + math.floor(t[2] / 1000)) + 1
redis.call('HSET', KEYS[1], 'token', string.format('%d', token))
return {string.format('%d', token), before, redis.call('HGET', KEYS[1], 'stands_for') or '',
        redis.call('HGET', KEYS[1], 'state') or ''}
"""
SAVE: Final = """
local token = tonumber(redis.call('HGET', KEYS[1], 'token') or '0')
if token > tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'token', ARGV[1], 'stands_for', ARGV[2], 'state', ARGV[3])
return 1
"""


def connect(url: str) -> aioredis.Redis:
    """A client that never waits long by itself."""
    return aioredis.Redis.from_url(
        url, socket_timeout=2.0, socket_connect_timeout=2.0, health_check_interval=15
    )


async def bounded(call: Awaitable[T], seconds: float = CALL_SECONDS) -> T:
    """The answer of Redis within `seconds`, or StoreUnavailableError."""
    try:
        async with asyncio.timeout(seconds):
            return await call
    except (RedisError, OSError, TimeoutError) as error:
        raise StoreUnavailableError(f"Redis: {error!r}") from error


class RedisStates:
    """The port `StateStore` for states that are saved whole, as bytes."""

    def __init__(self, client: aioredis.Redis, namespace: str) -> None:
        self._client: Any = client
        self._namespace = namespace

    def key(self, partition: int) -> str:
        """Braces keep what belongs to a partition in one cluster slot."""
        return f"{{{self._namespace}:{partition}}}:state"

    async def claim(self, partition: int, mine: int | None) -> Claim[bytes]:
        """Own the partition from now on."""
        reply = await bounded(self._client.eval(CLAIM, 1, self.key(partition)))
        token, before, stands_for, state = reply
        current = mine is not None and before == str(mine).encode()
        stored = None if current or not stands_for else _stored(stands_for, state)
        return Claim(int(token), current, stored)

    async def save(self, partition: int, token: int, state: Stored[bytes]) -> bool:
        """Write the whole state; False when somebody has claimed the partition since."""
        stands_for = orjson.dumps({"offsets": state.offsets, "topic_ids": state.topic_ids})
        call = self._client.eval(SAVE, 1, self.key(partition), token, stands_for, state.payload)
        return bool(await bounded(call))

    async def still_owned(self, tokens: Mapping[int, int]) -> set[int]:
        """The partitions whose token is still ours."""
        pipe = self._client.pipeline(transaction=False)
        for partition in tokens:
            pipe.hget(self.key(partition), "token")
        found = await bounded(pipe.execute()) if tokens else []
        return {p for (p, token), is_now in zip(tokens.items(), found, strict=True)
                if is_now == str(token).encode()}  # fmt: skip


def _stored(stands_for: bytes, state: bytes) -> Stored[bytes]:
    known = orjson.loads(stands_for)
    return Stored(known["offsets"], known["topic_ids"], state)
