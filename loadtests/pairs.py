"""Load test: pairs of 20-feature events through a real Kafka and Redis, joiners and a monitor.

Beside the joiner's cost it measures, in the same run, the floor: reading both topics and writing
a record for each label, with no work in between.
"""

import argparse
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

import orjson

from loadtests.events import Events
from loadtests.feeding import Feeder, only, order
from loadtests.floor import create_target
from loadtests.installation import (
    Installation,
    Roles,
    Servers,
    installation,
    real_servers,
    running,
)
from loadtests.lag import Watch, watch
from loadtests.options import positive, whole
from loadtests.outcome import halves_in_redis, joined_pairs
from loadtests.report import Figures, figures, lines, medians

FLOOR_RUNS: Final = 3
DEFAULT_DELAY: Final = 10_000
ALL_THROUGH_REDIS: Final = {"joiner_memory_seconds": "0", "joiner_memory_mb": "0"}


@dataclass(frozen=True, slots=True)
class Load:
    """What to run. delay: pairs between a prediction and its label; rate: pairs a second."""

    pairs: int
    delay: int = DEFAULT_DELAY
    rate: float | None = None
    joiners: int = 1
    through_redis: bool = False


def measure(found: Servers, load: Load, run: int) -> Figures:
    """One run in an installation of its own."""
    joiner = ALL_THROUGH_REDIS if load.through_redis else {}
    counts = {"joiner": load.joiners, "monitor": 1}
    with installation(found) as made:
        with running(made, counts, joiner=joiner) as roles:
            feeder = Feeder(found.brokers, made.prefix, Events.made(run), load.rate)
            with watch(made, roles) as watching:
                feed_seconds = _feed(made, load, feeder, roles)
                fed_at = watching.seconds()
                roles.wait(lambda: _is_done(watching, fed_at))
        floor = _floor(found.brokers, made.prefix, load.pairs)
        joined = joined_pairs(found.brokers, made.prefix)
    return figures(watching.samples, load.pairs, joined, fed_at, feed_seconds, floor)


def _feed(made: Installation, load: Load, feeder: Feeder, roles: Roles) -> float:
    """Send everything; through Redis, no label before every half waits there."""
    if not load.through_redis:
        return feeder.send(order(load.pairs, load.delay))
    seconds = feeder.send(only("prediction", load.pairs))
    roles.wait(lambda: halves_in_redis(made.found.redis_url, made.prefix) >= load.pairs)
    return seconds + feeder.send(only("label", load.pairs))


def _is_done(watch: Watch, fed_at: float) -> bool:
    last = watch.samples[-1]
    return last.at >= fed_at and not any(last.lag.values())


def _floor(brokers: str, prefix: str, pairs: int) -> float:
    """CPU seconds of the floor on the very same topics, the median of three."""
    create_target(brokers, prefix)
    command = [sys.executable, "-m", "loadtests.floor", brokers, prefix, str(pairs)]
    found = [subprocess.check_output(command) for _ in range(FLOOR_RUNS)]
    return median(float(orjson.loads(each)["cpu_seconds"]) for each in found)


def is_well(result: Mapping[str, Any]) -> bool:
    """Every pair was joined, and no lag is left."""
    return bool(result["joined"] == result["pairs"] and not result["lag_left"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print; exit code 1 when a pair is missing or a lag is left."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.delay_seconds is not None and options.rate is None:
        parser.error("--delay-seconds needs --rate")
    load = _load(options)
    runs: list[Figures] = []
    with real_servers() as found:
        for number in range(options.repeat):
            runs.append(measure(found, load, number))
            print(f"run {number + 1} of {options.repeat} is done", file=sys.stderr)
    result = medians(runs)
    print(orjson.dumps(result).decode() if options.json else "\n".join(lines(result)))
    return 0 if all(is_well(run.as_json()) for run in runs) else 1


def _load(options: argparse.Namespace) -> Load:
    delay = options.delay_rows
    if options.delay_seconds is not None:
        delay = int(options.delay_seconds * options.rate)
    return Load(options.pairs, delay, options.rate, options.joiners, options.through_redis)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m loadtests.pairs", description=__doc__)
    parser.add_argument("--pairs", type=whole, default=100_000)
    parser.add_argument("--rate", type=positive, help="pairs a second (default: flat out)")
    parser.add_argument("--joiners", type=whole, default=1)
    delay = parser.add_mutually_exclusive_group()
    delay.add_argument(
        "--delay-rows", type=int, default=DEFAULT_DELAY, help="pairs until the label"
    )
    delay.add_argument(
        "--delay-seconds", type=positive, help="seconds until the label; needs --rate"
    )
    parser.add_argument(
        "--through-redis", action="store_true", help="labels only when every half waits in Redis"
    )
    parser.add_argument("--repeat", type=whole, default=1, help="runs; figures are their medians")
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
