"""Load test: pairs of 20-feature events through a real Kafka and Redis, joiners and a monitor.

Beside the joiner's cost it measures, in the same run, the floor: reading both topics and writing
a record for each label, with no work in between.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from statistics import median
from time import monotonic, sleep
from typing import Final

import orjson

from driftline_schemas.topics import JOURNAL, LABELS, PREDICTIONS, consumer_group
from loadtests.cpu import cpu_by_name
from loadtests.events import Events
from loadtests.feeding import Feeder, only, order
from loadtests.floor import create_target
from loadtests.installation import Roles, Servers, real_servers, running_roles, set_up
from loadtests.lag import GroupLag, Watch
from loadtests.outcome import halves_in_redis, joined_pairs
from loadtests.report import Figures, figures, lines, medians

FLOOR_RUNS: Final = 3
PATIENCE_SECONDS: Final = 600.0
DEFAULT_DELAY: Final = 10_000
ALL_THROUGH_REDIS: Final = {
    "DRIFTLINE_JOINER_MEMORY_SECONDS": "0",
    "DRIFTLINE_JOINER_MEMORY_MB": "0",
}


@dataclass(frozen=True, slots=True)
class Load:
    """What to run. delay: pairs between a prediction and its label; rate: pairs a second."""

    pairs: int
    delay: int
    rate: float | None = None
    joiners: int = 1
    through_redis: bool = False


def measure(found: Servers, load: Load, run: int) -> Figures:
    """One run in an installation of its own."""
    prefix = f"load-{token_hex(4)}"
    settings = ALL_THROUGH_REDIS if load.through_redis else {}
    with tempfile.TemporaryDirectory(prefix="driftline-load-") as name:
        folder = Path(name)
        set_up(found, prefix, folder)
        with running_roles(found, prefix, folder, load.joiners, settings) as roles:
            watch = _watch(found, prefix, roles)
            feeder = Feeder(found.brokers, prefix, Events.made(run), load.rate)
            with watch:
                feed_seconds = _feed(found, prefix, load, feeder, roles)
                fed_at = watch.seconds()
                _wait(lambda: _is_done(watch, fed_at), roles)
        floor = _floor(found.brokers, prefix, load.pairs)
        joined = joined_pairs(found.brokers, prefix)
    return figures(watch.samples, load.pairs, joined, fed_at, feed_seconds, floor)


def _watch(found: Servers, prefix: str, roles: Roles) -> Watch:
    pids = {**found.pids, **roles.pids}
    topics = {"joiner": (PREDICTIONS, LABELS), "monitor": (JOURNAL,)}
    lags = {
        role: GroupLag(found.brokers, prefix, consumer_group(prefix, role), read)
        for role, read in topics.items()
    }
    return Watch(lags, lambda: cpu_by_name(pids))


def _feed(found: Servers, prefix: str, load: Load, feeder: Feeder, roles: Roles) -> float:
    """Send everything; through Redis, no label before every half waits there."""
    if not load.through_redis:
        return feeder.send(order(load.pairs, load.delay))
    seconds = feeder.send(only("prediction", load.pairs))
    _wait(lambda: halves_in_redis(found.redis_url, prefix) >= load.pairs, roles)
    return seconds + feeder.send(only("label", load.pairs))


def _is_done(watch: Watch, fed_at: float) -> bool:
    last = watch.samples[-1]
    return last.at >= fed_at and not any(last.lag.values())


def _wait(is_over: Callable[[], bool], roles: Roles) -> None:
    give_up = monotonic() + PATIENCE_SECONDS
    while not is_over():
        roles.check()
        if monotonic() > give_up:
            raise TimeoutError(f"not done after {PATIENCE_SECONDS:.0f} s")
        sleep(0.1)


def _floor(brokers: str, prefix: str, pairs: int) -> float:
    """CPU seconds of the floor on the very same topics, the median of three."""
    create_target(brokers, prefix)
    command = [sys.executable, "-m", "loadtests.floor", brokers, prefix, str(pairs)]
    found = [subprocess.check_output(command) for _ in range(FLOOR_RUNS)]
    return median(float(orjson.loads(each)["cpu_seconds"]) for each in found)


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
    return 0 if all(run.joined == run.pairs and not run.lag_left for run in runs) else 1


def _load(options: argparse.Namespace) -> Load:
    delay = options.delay_rows
    if options.delay_seconds is not None:
        delay = int(options.delay_seconds * options.rate)
    return Load(options.pairs, delay, options.rate, options.joiners, options.through_redis)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m loadtests.pairs", description=__doc__)
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--rate", type=float, help="pairs a second (default: flat out)")
    parser.add_argument("--joiners", type=int, default=1)
    delay = parser.add_mutually_exclusive_group()
    delay.add_argument(
        "--delay-rows", type=int, default=DEFAULT_DELAY, help="pairs until the label"
    )
    delay.add_argument("--delay-seconds", type=float, help="seconds until the label; needs --rate")
    parser.add_argument(
        "--through-redis", action="store_true", help="labels only when every half waits in Redis"
    )
    parser.add_argument("--repeat", type=int, default=1, help="runs; figures are their medians")
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
