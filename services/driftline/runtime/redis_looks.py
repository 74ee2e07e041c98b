"""What kind of Redis is it, and what do our groups keep there? Blocking, for commands."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from driftline.runtime.errors import DriftlineError

if TYPE_CHECKING:
    from redis.exceptions import RedisError

SECONDS: Final = 3.0
CONNECTING: Final = re.compile(r"^Error -?\d+ connecting to \S+\. ")
KEYS_PER_CALL: Final = 1_000


class NoRedisError(DriftlineError):
    """Redis does not answer, or not to us."""


@dataclass(frozen=True, slots=True)
class RedisLook:
    """What Redis says about itself; bytes and milliseconds."""

    version: str
    is_replica: bool
    primary_is_up: bool
    takes_writes: bool
    used_bytes: int
    limit_bytes: int  # 0: none
    machine_bytes: int  # 0: unknown
    eviction: str
    append_only: bool
    snapshots: bool
    last_write_failed: bool
    now: int


@dataclass(frozen=True, slots=True)
class KeptState:
    """What a group keeps: its keys, and what they weigh (a sample's estimate for large hashes)."""

    keys: tuple[str, ...]
    bytes: int
    halves: int
    half_bytes: int  # of them all


def place_of(url: str) -> str:
    """`host:port/0`, without a password."""
    parts = urlsplit(url)
    return f"{parts.hostname or parts.path}{f':{parts.port}' if parts.port else ''}{parts.path}"


def look_at_redis(url: str) -> RedisLook:
    """NoRedisError with one sentence if it does not answer."""
    with connected(url) as client:
        info: dict[str, Any] = client.info()
        seconds, micros = client.time()
        is_replica = info["role"] != "master"
        return RedisLook(
            version=info["redis_version"],
            is_replica=is_replica,
            primary_is_up=info.get("master_link_status", "up") == "up",
            takes_writes=not is_replica or _setting(client, "replica-read-only") == "no",
            used_bytes=info["used_memory"],
            limit_bytes=info.get("maxmemory", 0),
            machine_bytes=info.get("total_system_memory", 0),
            eviction=info.get("maxmemory_policy", "noeviction"),
            append_only=bool(info.get("aof_enabled")),
            snapshots=bool(_setting(client, "save")),
            last_write_failed="err" in (info.get("aof_last_write_status"),
                                        info.get("rdb_last_bgsave_status")),
            now=int(seconds) * 1_000 + int(micros) // 1_000,
        )  # fmt: skip


def kept_state(url: str, group: str) -> KeptState:
    """The keys of a group's states."""
    with connected(url) as client:
        keys = sorted(_keys(client, group))
        sizes = {key: client.memory_usage(key, samples=50) or 0 for key in keys}
        halves = [key for key in keys if key.endswith(b":halves")]
        return KeptState(
            tuple(key.decode() for key in keys),
            sum(sizes.values()),
            sum(client.hlen(key) for key in halves),
            sum(sizes[key] for key in halves),
        )


def forget_state(url: str, group: str) -> int:
    """Remove the keys of a group's states; how many there were."""
    with connected(url) as client:
        keys = list(_keys(client, group))
        for first in range(0, len(keys), KEYS_PER_CALL):
            client.unlink(*keys[first : first + KEYS_PER_CALL])
        return len(keys)


@contextmanager
def connected(url: str) -> Iterator[Any]:
    """A client; what goes wrong with it is a NoRedisError."""
    # Redis comes with the extra `services`; most commands do without.
    import redis
    from redis.exceptions import AuthenticationError, RedisError

    place = place_of(url)
    try:
        client: Any = redis.Redis.from_url(
            url, socket_timeout=SECONDS, socket_connect_timeout=SECONDS
        )
    except ValueError as error:
        raise NoRedisError(f"DRIFTLINE_REDIS_URL: {error}.") from None
    try:
        yield client
    except AuthenticationError:
        raise NoRedisError(
            f"Redis at {place} refuses the login: put user and password into DRIFTLINE_REDIS_URL"
            " (redis://user:password@host:port/0)."
        ) from None
    except RedisError as error:
        raise NoRedisError(_sentence(place, error)) from None
    finally:
        client.close()


def _sentence(place: str, error: "RedisError") -> str:
    from redis.exceptions import ConnectionError as AwayError
    from redis.exceptions import TimeoutError as SilentError

    text = _first_line(error)
    if text.startswith("You can't write against a read only"):
        return f"Redis at {place} is a read-only replica: point DRIFTLINE_REDIS_URL at the primary."
    if isinstance(error, AwayError | SilentError):
        why = CONNECTING.sub("", text).rstrip(".")
        return f"No Redis answers at {place}: {why[:1].lower()}{why[1:]}."
    return f"Redis at {place} refused: {text.rstrip('.')}."


def _first_line(error: "RedisError") -> str:
    return str(error).partition("\n")[0]


def _keys(client: Any, group: str) -> Iterator[bytes]:
    yield from client.scan_iter(match=f"{{{group}:*", count=KEYS_PER_CALL)


def _setting(client: Any, name: str) -> str | None:
    """A setting, where CONFIG is allowed; None where a provider forbids it."""
    from redis.exceptions import ResponseError

    try:
        found = client.config_get(name)
    except ResponseError:
        return None
    value = found.get(name)
    return None if value is None else str(value)
