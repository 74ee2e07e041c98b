"""Decide whether a challenger may replace the champion. Pure: no clock, no I/O.

Normal-mixture confidence sequence for a mean (Robbins; Howard et al. 2021, arXiv:1810.08240): its
bounds hold at all times at once, so that looking often costs nothing.
"""

from dataclasses import dataclass
from math import inf, log, pi, sqrt
from typing import Final, Literal

Verdict = Literal["promote", "reject", "continue", "no_data"]
LEAST_ALPHA: Final = 1e-300  # its logarithm must exist, however many tests were begun
MIN_BLOCKS: Final = 20


@dataclass(frozen=True, slots=True)
class PairedGains:
    """Champion's error minus challenger's, over predictions that both are judged on.

    `mean` and `variance` (with n - 1) are those of the pairs, or of block means if `blocks` says
    how many there are.
    """

    n: int
    mean: float
    variance: float
    blocks: int | None = None

    @property
    def units(self) -> int:
        """How many independent values the mean is of."""
        return self.n if self.blocks is None else self.blocks


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict with the numbers it was reached on; `alpha` is what this test may spend."""

    verdict: Verdict
    gains: PairedGains
    half_width: float
    alpha: float

    @property
    def lower(self) -> float:
        """The gain is above this, with confidence 1 - alpha."""
        return self.gains.mean - self.half_width

    @property
    def upper(self) -> float:
        """The gain is below this, likewise."""
        return self.gains.mean + self.half_width


@dataclass(frozen=True, slots=True)
class Gate:
    """The evidence a challenger must show. `test` counts restarts from 1, `rivals` share alpha."""

    least_gain: float = 0.03
    min_pairs: int = 200
    alpha: float = 0.05
    tightest_near: float = 0.128  # the mixture's scale: tightest near n = 500

    def judge(self, gains: PairedGains, *, test: int, rivals: int) -> Judgement:
        """The verdict on these pairs, in the `test`-th test of one of `rivals` challengers."""
        alpha = max(self.alpha * 6 / (pi * test) ** 2 / rivals, LEAST_ALPHA)
        if not self._is_enough(gains):
            return Judgement("no_data", gains, inf, alpha)
        half_width = self._half_width(gains, alpha)
        if gains.mean + half_width < self.least_gain:
            return Judgement("reject", gains, half_width, alpha)
        if gains.mean >= self.least_gain and gains.mean > half_width:
            return Judgement("promote", gains, half_width, alpha)
        return Judgement("continue", gains, half_width, alpha)

    def _is_enough(self, gains: PairedGains) -> bool:
        enough_blocks = gains.blocks is None or gains.blocks >= MIN_BLOCKS
        return gains.n >= self.min_pairs and gains.units >= 2 and enough_blocks

    def _half_width(self, gains: PairedGains, alpha: float) -> float:
        n = gains.units
        spread = n * self.tightest_near**2
        return sqrt(
            gains.variance * 2 * (spread + 1) / (n * spread) * log(sqrt(spread + 1) / alpha)
        )
