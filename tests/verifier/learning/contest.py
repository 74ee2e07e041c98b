"""What is each challenger worth against what is deployed? All numbers from scratch, each time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf, log, pi, sqrt
from typing import Any, NamedTuple

import numpy as np

EVERY = 25  # labels
PROVEN = 100  # pairs
BLOCKS = 20
R = 0.128
UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


class Pair(NamedTuple):
    """`made`: append time of the prediction (ms). `number`: the challenger's version. `gain`: the
    champion's error less the challenger's."""

    made: int
    number: int
    gain: float


@dataclass(frozen=True, slots=True)
class GateRules:
    """What the spec demands; times in ms."""

    least_gain: float
    min_pairs: int
    alpha: float
    maturity: int
    block: int | None

    @classmethod
    def of(cls, spec: Mapping[str, Any]) -> "GateRules":
        """Of a specification; what it does not say has Driftline's default."""
        gate = spec.get("gate") or {}
        return cls(
            gate.get("least_gain", 0.03),
            gate.get("min_pairs", 200),
            gate.get("alpha", 0.05),
            duration(gate.get("maturity")) or 0,
            duration(gate.get("block")),
        )


def duration(text: str | None) -> int | None:
    """`250ms`, `60s`, `12h`, ... in milliseconds."""
    if text is None:
        return None
    digits = text.rstrip("msdh")
    return int(digits) * UNITS[text.removeprefix(digits)]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The gate's numbers on one challenger, after the record at `offset`. `number`: the version to
    deploy. `is_new`: the verdict is another than at the last time."""

    offset: int
    champion: str | None  # lineage
    deployment_seq: int
    challenger: str
    number: int | None
    since: int
    j: int
    k: int
    n: int
    blocks: int | None
    mean: float
    variance: float
    alpha: float
    lower: float
    upper: float
    least_gain: float
    verdict: str
    is_new: bool
    labels: int


@dataclass(slots=True)
class Contest:
    """The pairs of one test: since the last change of lineage, or opening of an incident."""

    rules: GateRules
    since: int = -1
    j: int = 1
    labels: int = 0
    now: int = 0  # largest label_ts
    champion: str | None = None  # lineage
    pairs: dict[str, list[Pair]] = field(default_factory=dict)
    verdicts: dict[str, str] = field(default_factory=dict)

    def enter(self, challenger: str) -> None:
        """From here on it is compared."""
        self.pairs.setdefault(challenger, [])

    def leave(self, challenger: str) -> None:
        """It is compared no more."""
        self.pairs.pop(challenger, None)
        self.verdicts.pop(challenger, None)

    def deployed(self, lineage: str, at: int) -> None:
        """A version of a lineage serves since `at` (ms); another lineage begins a new test."""
        previous, self.champion = self.champion, lineage
        self.leave(lineage)
        if previous is not None and previous != lineage:
            self.restart(at)

    def restart(self, since: int) -> None:
        """Only predictions made after `since` (ms) count from here on."""
        self.since = max(self.since, since)
        self.j += 1
        self.pairs = {name: [] for name in self.pairs}
        self.verdicts = {}

    def add(self, challenger: str, pair: Pair) -> None:
        """A pair, if it is of a prediction that counts."""
        if challenger in self.pairs and pair.made > self.since:
            self.pairs[challenger].append(pair)

    @property
    def is_evaluated(self) -> bool:
        """Whether the last label was a 25th."""
        return self.labels % EVERY == 0

    def label(self, offset: int, label_ts: int, deployment_seq: int) -> list[Evaluation]:
        """One more label, its pairs added; every 25th is followed by the verdicts."""
        self.labels += 1
        self.now = max(self.now, label_ts)
        if not self.is_evaluated:
            return []
        return [self._evaluate(name, offset, deployment_seq) for name in self.pairs]

    def _evaluate(self, name: str, offset: int, deployment_seq: int) -> Evaluation:
        k = len(self.pairs)
        old = self.now - self.rules.maturity
        mature = [pair for pair in self.pairs[name] if pair.made <= old]
        units, blocks = self._units(mature, old)
        mean = float(np.mean(units)) if len(units) else 0.0
        variance = float(np.var(units, ddof=1)) if len(units) > 1 else 0.0
        alpha = self.rules.alpha * 6 / (pi**2 * self.j**2) / k
        enough = (
            len(mature) >= self.rules.min_pairs
            and len(units) >= 2
            and (blocks is None or blocks >= BLOCKS)
        )
        width = _half_width(len(units), variance, alpha) if enough else inf
        verdict = _verdict(mean, width, self.rules.least_gain)
        is_new = self.verdicts.get(name) != verdict
        self.verdicts[name] = verdict
        return Evaluation(
            offset, self.champion, deployment_seq, name, _proven(mature), self.since, self.j, k,
            len(mature), blocks, mean, variance, alpha, mean - width, mean + width,
            self.rules.least_gain, verdict, is_new, self.labels,
        )  # fmt: skip

    def _units(self, mature: Sequence[Pair], old: int) -> tuple[list[float], int | None]:
        """The values that count as independent: gains, or means over blocks that are over."""
        block = self.rules.block
        if block is None:
            return [pair.gain for pair in mature], None
        gains: dict[int, list[float]] = {}
        for pair in mature:
            gains.setdefault(pair.made // block, []).append(pair.gain)
        means = [float(np.mean(found)) for at, found in gains.items() if at < old // block]
        return means, len(means)


def _half_width(n: int, variance: float, alpha: float) -> float:
    rho = n * R * R + 1
    return sqrt(variance) * sqrt(2 * rho / (n * n * R * R) * log(sqrt(rho) / alpha))


def _verdict(mean: float, width: float, least: float) -> str:
    if width == inf:
        return "no_data"
    if mean + width < least:
        return "reject"
    return "promote" if mean >= least and mean - width > 0 else "continue"


def _proven(mature: Sequence[Pair]) -> int | None:
    """The newest version by which, with those after it, 100 of the pairs were judged."""
    numbers = sorted((pair.number for pair in mature), reverse=True)
    return numbers[PROVEN - 1] if len(numbers) >= PROVEN else None
