"""Figures of a run, from its samples: rates by wall clock and by CPU second, lag, the floor."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import ceil
from statistics import median
from typing import Any, Final

from loadtests.lag import Sample, first_idle

LAG_POINTS: Final = 12
SERVERS: Final = ("kafka", "redis")


@dataclass(frozen=True, slots=True)
class Role:
    """One role: pairs (of the monitor: joined records) by second, and what each cost."""

    seconds: float  # until it had nothing left to do
    cpu_seconds: float
    pairs_per_second: float
    pairs_per_cpu_second: float
    cpu_us_per_pair: float


@dataclass(frozen=True, slots=True)
class Figures:
    """One run."""

    pairs: int
    joined: int
    feed_seconds: float
    joiner: Role
    monitor: Role
    floor_cpu_us_per_pair: float
    joiner_over_floor: float
    kafka_cpu_us_per_pair: float | None
    redis_cpu_us_per_pair: float | None
    lag: list[tuple[float, int, int]]  # seconds since the start, joiner's, monitor's
    lag_left: int

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)


def figures(
    samples: Sequence[Sample], pairs: int, joined: int, fed_at: float, feed_seconds: float,
    floor_cpu: float,
) -> Figures:  # fmt: skip
    """The figures of one run. fed_at: when the last event was acknowledged (s since the start)."""
    joiner = role(samples, "joiner", pairs, fed_at)
    monitor = role(samples, "monitor", pairs, joiner.seconds)
    floor = floor_cpu / pairs * 1e6
    last = samples[-1]
    used = {name: last.cpu.get(name, 0) - samples[0].cpu.get(name, 0) for name in SERVERS}
    kafka, redis = (used[name] / pairs * 1e6 if name in last.cpu else None for name in SERVERS)
    return Figures(
        pairs=pairs,
        joined=joined,
        feed_seconds=feed_seconds,
        joiner=joiner,
        monitor=monitor,
        floor_cpu_us_per_pair=floor,
        joiner_over_floor=joiner.cpu_us_per_pair / floor,
        kafka_cpu_us_per_pair=kafka,
        redis_cpu_us_per_pair=redis,
        lag=_thinned([(s.at, s.lag["joiner"], s.lag["monitor"]) for s in samples]),
        lag_left=sum(last.lag.values()),
    )


def role(samples: Sequence[Sample], name: str, pairs: int, after: float) -> Role:
    """A role's cost until it was idle for the first time after `after` (s)."""
    end = first_idle(samples, name, after) or samples[-1]
    cpu = max(end.cpu[name] - samples[0].cpu[name], 1e-9)
    return Role(end.at, cpu, pairs / end.at, pairs / cpu, cpu / pairs * 1e6)


def _thinned(points: list[tuple[float, int, int]]) -> list[tuple[float, int, int]]:
    """At most twelve points, the last among them."""
    step = max(1, -(-len(points) // LAG_POINTS))
    return [*points[:-1:step], points[-1]]


def medians(runs: Sequence[Figures]) -> dict[str, Any]:
    """The median of every figure; lists are those of the last run."""
    return _merged([run.as_json() for run in runs])


def _merged(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for name, last in runs[-1].items():
        if isinstance(last, dict):
            merged[name] = _merged([run[name] for run in runs])
        elif isinstance(last, int | float):
            merged[name] = median(run[name] for run in runs)
        else:
            merged[name] = last
    return merged


def spread(milliseconds: Collection[float]) -> dict[str, float]:
    """Median, 99 % quantile (nearest rank) and maximum. Raises ValueError for no values."""
    if not milliseconds:
        raise ValueError("nothing was measured")
    ordered = sorted(milliseconds)
    ranks = {"p50": 0.5, "p99": 0.99, "max": 1.0}
    return {name: ordered[ceil(share * len(ordered)) - 1] for name, share in ranks.items()}


def told(found: Mapping[str, float]) -> str:
    """What `spread` found, for people."""
    return (
        f"{found['p50']:,.0f} ms (median), {found['p99']:,.0f} (99 %), {found['max']:,.0f} (most)"
    )


def lines(result: Mapping[str, Any]) -> list[str]:
    """The same for people."""
    floor, ratio = result["floor_cpu_us_per_pair"], result["joiner_over_floor"]
    costs = {name: result[f"{name}_cpu_us_per_pair"] for name in SERVERS}
    points = ", ".join(f"{at:.0f} s {j:,}/{m:,}" for at, j, m in result["lag"])
    rows = {
        "pairs": f"{result['pairs']:,} fed in {result['feed_seconds']:.1f} s",
        "joined": f"{result['joined']:,}, lag left {result['lag_left']:,}",
        "joiner": _role(result["joiner"]),
        "monitor": _role(result["monitor"]),
        "raw aiokafka": (
            f"{1e6 / floor:,.0f} per CPU second ({floor:.1f} us a pair): the joiner costs"
            f" {ratio:.1f} times as much"
        ),
        **{name: f"{cost:.1f} us a pair" for name, cost in costs.items() if cost is not None},
        "lag joiner/monitor": points,
    }
    return table(rows)


def table(rows: Mapping[str, str]) -> list[str]:
    """Names and what is to be said on them, in two columns."""
    return [f"{name:<18} {text}" for name, text in rows.items()]


def _role(role: Mapping[str, Any]) -> str:
    return (
        f"{role['pairs_per_second']:,.0f} pairs/s, {role['pairs_per_cpu_second']:,.0f} per CPU"
        f" second ({role['cpu_us_per_pair']:.1f} us a pair), done after {role['seconds']:.1f} s"
    )
