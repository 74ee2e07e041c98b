"""What do the predictions that count say about one challenger?"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush
from math import fsum
from typing import Any, Final, NamedTuple, Self

from driftline.core.gates.gate import PairedGains

PROVEN: Final = 100  # pairs by which the version that is deployed must be judged


class Pair(NamedTuple):
    """A prediction that was served and the challenger's for it; the older one sorts first.

    `gain` is the champion's error less the challenger's, `number` the challenger's version.
    """

    predicted_ts: int
    offset: int
    number: int
    gain: float


@dataclass(frozen=True, slots=True)
class PairPolicy:
    """Times in ms. A pair counts once its prediction is `maturity_ms` old. With `block_ms` what
    counts are means of blocks of that length, each once it is over and so old."""

    maturity_ms: int = 0
    block_ms: int | None = None


@dataclass(slots=True)
class PairedResults:
    """One test of one challenger: the pairs of predictions made after `since` (ms)."""

    policy: PairPolicy
    since: int
    n: int = 0
    total: float = 0.0
    squares: float = 0.0
    _waiting: list[Pair] = field(default_factory=list)  # heap, not yet mature
    _blocks: dict[int, tuple[int, float]] = field(default_factory=dict)  # n and total
    _versions: dict[int, int] = field(default_factory=dict)  # pairs by version number

    def add(self, pair: Pair) -> None:
        """Take in a pair; one of a prediction made at `since` or before does not belong here."""
        if pair.predicted_ts > self.since:
            heappush(self._waiting, pair)

    def gains(self, now: int) -> PairedGains:
        """Of the pairs that count at `now` (ms), the largest append time of a label so far."""
        waiting, mature = self._waiting, now - self.policy.maturity_ms
        while waiting and waiting[0].predicted_ts <= mature:
            self._count(heappop(waiting))
        if self.policy.block_ms is None:
            return PairedGains(self.n, *_moments(self.n, self.total, self.squares))
        means = list(self._finished(now, self.policy.block_ms))
        squares = fsum(mean * mean for mean in means)
        return PairedGains(self.n, *_moments(len(means), fsum(means), squares), len(means))

    def _finished(self, now: int, block_ms: int) -> Iterator[float]:
        first_open = (now - self.policy.maturity_ms) // block_ms
        for block, (n, total) in self._blocks.items():
            if block < first_open:
                yield total / n

    def _count(self, pair: Pair) -> None:
        predicted_ts, _, number, gain = pair
        self.n += 1
        self.total += gain
        self.squares += gain**2
        versions = self._versions
        versions[number] = versions.get(number, 0) + 1
        # The proven version never goes back, so what is older is never asked for.
        if len(versions) > PROVEN and (proven := self.proven_version()) is not None:
            self._versions = {v: n for v, n in versions.items() if v >= proven}
        if self.policy.block_ms is not None:
            block = predicted_ts // self.policy.block_ms
            n, total = self._blocks.get(block, (0, 0.0))
            self._blocks[block] = n + 1, total + gain

    def proven_version(self) -> int | None:
        """The newest version by which, with those after it, at least 100 of the pairs were judged;
        None before. (One alone seldom has 100 where versions come every 50 labels.)"""
        judged = 0
        for number in sorted(self._versions, reverse=True):
            judged += self._versions[number]
            if judged >= PROVEN:
                return number
        return None

    def snapshot(self) -> dict[str, Any]:
        """The state as JSON types."""
        return {
            "since": self.since,
            "sums": [self.n, self.total, self.squares],
            "waiting": [list(pair) for pair in sorted(self._waiting)],
            "blocks": [[block, n, total] for block, (n, total) in self._blocks.items()],
            "versions": sorted(self._versions.items()),
        }

    @classmethod
    def restore(cls, policy: PairPolicy, snapshot: Mapping[str, Any]) -> Self:
        """The state that `snapshot` gave."""
        n, total, squares = snapshot["sums"]
        return cls(
            policy,
            snapshot["since"],
            n,
            total,
            squares,
            [Pair(*pair) for pair in snapshot["waiting"]],  # sorted, so a heap
            {block: (n, total) for block, n, total in snapshot["blocks"]},
            dict(map(tuple, snapshot["versions"])),
        )


def _moments(n: int, total: float, squares: float) -> tuple[float, float]:
    """Mean and variance (n - 1)."""
    if n == 0:
        return 0.0, 0.0
    mean = total / n
    return mean, max(0.0, (squares - n * mean * mean) / (n - 1)) if n > 1 else 0.0
