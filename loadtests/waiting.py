"""How much memory does a prediction take that waits for its label, and how much a joined pair?

Predictions without labels come to one joiner, once with settings that keep all of them in its
memory, once with settings that move all of them to Redis; then as many come with labels, and what
stays of each pair for the repeat window is measured. Half as many come before, so that what a
process takes once and for all, and for what is under way, does not count. Redis must have no other
user meanwhile.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import sleep
from typing import Any, Final, NamedTuple

import orjson
import redis

from driftline.runtime.errors import DriftlineError
from loadtests.cpu import resident_bytes
from loadtests.events import Events
from loadtests.feeding import Feeder, Half, only, order
from loadtests.installation import Installation, Roles, Servers, installation, real_servers, running
from loadtests.lag import wait_until_idle
from loadtests.options import positive, whole
from loadtests.outcome import halves_in_redis
from loadtests.report import table

LABEL_PAIRS: Final = 1_000  # until the label
DEFAULT_RATE: Final = 4_000.0
FIRST_SHARE: Final = 0.5  # so many that what is under way is the same at both looks
SETTLE_SECONDS: Final = 5.0  # two checkpoints, and what they took is free again
ALL_IN_MEMORY: Final = {"joiner_memory_seconds": "86400", "joiner_memory_mb": "100000"}
ALL_IN_REDIS: Final = {"joiner_memory_seconds": "0", "joiner_memory_mb": "0"}

Halves = Iterator[tuple[int, Half, int]]


@dataclass(frozen=True, slots=True)
class Load:
    """What to run: so many predictions, so many a second (a backlog would wait in memory)."""

    predictions: int
    rate: float = DEFAULT_RATE


class Memory(NamedTuple):
    """Resident bytes of the joiner, and bytes that Redis uses."""

    joiner: int
    redis: int


def measure(found: Servers, load: Load) -> dict[str, Any]:
    """Three runs in installations of their own; bytes for each prediction or pair."""
    kept = _grown(found, load, ALL_IN_MEMORY, _unlabelled)
    moved = _grown(found, load, ALL_IN_REDIS, _unlabelled, share_in_redis=1)
    joined = _grown(found, load, ALL_IN_MEMORY, _labelled)
    return {
        "predictions": load.predictions,
        "prediction_bytes": len(Events.made(0).prediction(0, 0)),
        "joiner_bytes_in_memory": kept.joiner / load.predictions,
        "redis_bytes": moved.redis / load.predictions,
        "joiner_bytes_in_redis": moved.joiner / load.predictions,
        "joined_joiner_bytes": joined.joiner / load.predictions,
        "joined_redis_bytes": joined.redis / load.predictions,
    }


def _unlabelled(predictions: int) -> Halves:
    return only("prediction", predictions)


def _labelled(predictions: int) -> Halves:
    return order(predictions, LABEL_PAIRS)


def _grown(
    found: Servers, load: Load, joiner: Mapping[str, str], halves: Callable[[int], Halves], *,
    share_in_redis: int = 0,
) -> Memory:  # fmt: skip
    """By how much memory grew while the halves came, all but the first."""
    first = int(load.predictions * FIRST_SHARE)
    with installation(found) as made, running(made, {"joiner": 1}, joiner=joiner) as roles:
        looks: list[Memory] = []
        for run, count in enumerate((first, load.predictions)):
            feeder = Feeder(found.brokers, made.prefix, Events.made(run), load.rate)
            feeder.send(halves(count))
            wait_until_idle(made, roles)
            _settle(made, roles, share_in_redis * (first + run * count))
            looks.append(_look(made, roles))
    return Memory(*(after - before for before, after in zip(*looks, strict=True)))


def _settle(made: Installation, roles: Roles, in_redis: int) -> None:
    """Until so many predictions wait in Redis, and no more than that come there."""
    roles.wait(lambda: halves_in_redis(made.found.redis_url, made.prefix) >= in_redis)
    sleep(SETTLE_SECONDS)
    if (found := halves_in_redis(made.found.redis_url, made.prefix)) != in_redis:
        raise DriftlineError(f"{found:,} predictions wait in Redis, and {in_redis:,} should")


def _look(made: Installation, roles: Roles) -> Memory:
    with redis.Redis.from_url(made.found.redis_url) as client:
        used: dict[str, Any] = client.info("memory")
    return Memory(sum(map(resident_bytes, roles.pids["joiner"])), int(used["used_memory"]))


def lines(result: Mapping[str, Any]) -> list[str]:
    """For people."""
    of = f"(each of {result['predictions']:,}, of {result['prediction_bytes']} B)"
    return table(
        {
            "waits in memory": f"{result['joiner_bytes_in_memory']:,.0f} B of the joiner {of}",
            "waits in Redis": (
                f"{result['joiner_bytes_in_redis']:,.0f} B of the joiner,"
                f" {result['redis_bytes']:,.0f} B of Redis"
            ),
            "is joined": (
                f"{result['joined_joiner_bytes']:,.0f} B of the joiner,"
                f" {result['joined_redis_bytes']:,.0f} B of Redis, for the repeat window"
            ),
        }
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.waiting", description=__doc__)
    parser.add_argument("--predictions", type=whole, default=50_000)
    parser.add_argument("--rate", type=positive, default=DEFAULT_RATE, help="predictions a second")
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    options = parser.parse_args(arguments)
    with real_servers() as found:
        result = measure(found, Load(options.predictions, options.rate))
    print(orjson.dumps(result).decode() if options.json else "\n".join(lines(result)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
