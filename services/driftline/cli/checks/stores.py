"""Can Redis be trusted with the states, and is there room for artifacts?"""

from collections.abc import Iterator
from typing import Final

from driftline.cli.checks.evidence import Evidence
from driftline.cli.checks.finding import Finding, error, warning
from driftline.cli.status_screen import size
from driftline.runtime.redis_looks import RedisLook

CHECK = "stores"
TIGHT: Final = 0.9
LEAST_FREE: Final = 500_000_000  # bytes


def check(seen: Evidence) -> Iterator[Finding]:
    """Redis, then the disk."""
    if seen.redis_trouble:
        mend = "Start Redis, or correct DRIFTLINE_REDIS_URL; services wait for it."
        yield error(CHECK, seen.redis_trouble, mend)
    if seen.redis is not None:
        yield from _redis(seen.redis)
    if seen.free_bytes is not None and seen.free_bytes < min(LEAST_FREE, seen.disk_bytes / 10):
        yield error(
            CHECK,
            f"Only {size(seen.free_bytes)} are free where artifacts lie"
            f" ({seen.settings.artifacts_url}).",
            "Make room, or point DRIFTLINE_ARTIFACTS_URL elsewhere.",
        )


def told(seen: Evidence) -> str:
    """When all is well."""
    redis = seen.redis
    return f"Redis {redis.version} keeps what it is given" if redis else "Redis was not seen"


def _redis(redis: RedisLook) -> Iterator[Finding]:
    if redis.is_replica:
        writes = "takes writes that its primary never sees" if redis.takes_writes else (
            "takes no writes")  # fmt: skip
        yield error(CHECK, f"Redis is a replica and {writes}.",
                    "Point DRIFTLINE_REDIS_URL at the primary.")  # fmt: skip
    if redis.limit_bytes and redis.eviction != "noeviction":
        yield error(
            CHECK,
            f"Redis evicts ({redis.eviction}) at {size(redis.limit_bytes)}: waiting predictions"
            " would vanish silently.",
            "Set maxmemory-policy noeviction.",
        )
    if redis.limit_bytes and redis.used_bytes > TIGHT * redis.limit_bytes:
        yield warning(CHECK, f"Redis uses {size(redis.used_bytes)} of {size(redis.limit_bytes)}.",
                      "Raise maxmemory; when it is full, services stop reading.")  # fmt: skip
    if not redis.append_only:
        lost = "goes back to its last snapshot" if redis.snapshots else "is empty"
        yield warning(CHECK, f"Redis keeps no append-only file: after a restart it {lost}, and the"
                      " roles read the topics again.", "Set appendonly yes.")  # fmt: skip
    if redis.last_write_failed:
        yield error(CHECK, "Redis could not write its file the last time it tried.",
                    "Look for a full disk in Redis' log.")  # fmt: skip
