"""Do a reference and a window of predictions come from the same distribution?

Both are given as counts by the same bins, and both are treated as samples: the reference's own
size counts, so that a small one does not cause alarms. The tests decide; the distances only say
how large a difference is, and no threshold is ever put on them.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Literal

import numpy as np
from scipy.special import chdtrc, ndtr

from driftline.core.drift.bins import FeatureBins, NumericBins
from driftline.core.drift.counts import Counts
from driftline.core.drift.sparse_bins import exact, pooled, sparse

Outcome = Literal["ok", "drifted", "not_enough_data", "cannot_evaluate"]
Statistic = Literal["rank_z", "chi_square", "exact_binomial"]


def rank_z(reference: Counts, current: Counts) -> float:
    """Normal score of the two-sample rank test (Mann-Whitney), ties corrected; > 0: current higher.

    The bins are the ranks, so they must be in order. 0 if a sample is empty or all values tie.
    """
    r, c = reference.astype(np.float64), current.astype(np.float64)
    m, n, ties = r.sum(), c.sum(), r + c
    total = m + n
    midranks = np.cumsum(ties) - (ties - 1) / 2
    spread = m * n / 12 * (total + 1 - (ties**3 - ties).sum() / max(total * (total - 1), 1))
    if spread <= 0 or np.count_nonzero(ties) < 2:
        return 0.0
    return float((c @ midranks - n * (total + 1) / 2) / sqrt(spread))


def chi_square(reference: Counts, current: Counts) -> tuple[float, int]:
    """Pearson's statistic of homogeneity and its degrees of freedom; empty bins do not count.

    (0, 0) if a sample is empty or a single bin holds everything.
    """
    filled = (reference + current) > 0
    r, c = reference[filled].astype(np.float64), current[filled].astype(np.float64)
    m, n = r.sum(), c.sum()
    if m == 0 or n == 0 or r.size < 2:
        return 0.0, 0
    statistic = ((r * sqrt(n / m) - c * sqrt(m / n)) ** 2 / (r + c)).sum()
    return float(statistic), r.size - 1


def jensen_shannon(reference: Counts, current: Counts) -> float:
    """Jensen-Shannon distance: root of the divergence in bits (log base 2), 0 (same) to 1 (apart).

    Other tools take natural logarithms (0.83 of this) or other bins: compare no thresholds.
    """
    p, q = _shares(reference), _shares(current)
    middle = (p + q) / 2
    divergence = (_bits(p, middle) + _bits(q, middle)) / 2
    return float(np.clip(np.sqrt(max(divergence, 0.0)), 0.0, 1.0))


@dataclass(frozen=True, slots=True)
class Comparison:
    """What one feature's counts say, with the numbers it rests on.

    `statistic` is the test that spoke loudest, `value` its value (rank_z signed; exact_binomial:
    how many more than expected lie in one sparse bin). `p_value` already pays for the number of
    tests asked, and is None where none could be. `effect` is the Jensen-Shannon distance base 2;
    `threshold` the level that p_value was held against.
    """

    outcome: Outcome
    reason: str
    statistic: Statistic
    value: float
    p_value: float | None
    effect: float
    threshold: float


def compare(bins: FeatureBins, reference: Counts, current: Counts, alpha: float) -> Comparison:
    """Judge one feature. Never raises on counts: what cannot be judged is an outcome too."""
    blocked = _unjudgeable(bins, reference, current)
    if blocked is not None:
        outcome, reason = blocked
        return Comparison(outcome, reason, "chi_square", 0.0, None, 0.0, alpha)
    statistic, value, p = _test(bins, reference, current)
    drifted = p <= alpha
    return Comparison(
        outcome="drifted" if drifted else "ok",
        reason=f"p {p:.2g} {'<=' if drifted else '>'} {alpha:.2g}",
        statistic=statistic,
        value=value,
        p_value=p,
        effect=jensen_shannon(reference, current),
        threshold=alpha,
    )


def _unjudgeable(
    bins: FeatureBins, reference: Counts, current: Counts
) -> tuple[Outcome, str] | None:
    if reference.shape != (bins.size,) or current.shape != (bins.size,):
        return "cannot_evaluate", "the counts were made by other bins"
    if not reference.any():
        return "cannot_evaluate", "the reference holds no counts"
    if not current.any():
        return "not_enough_data", "the window holds no counts"
    if np.count_nonzero(reference + current) < 2:
        return "cannot_evaluate", "reference and window lie in one and the same bin"
    return None


def _test(bins: FeatureBins, reference: Counts, current: Counts) -> tuple[Statistic, float, float]:
    statistic, value, p = _test_bins(reference, current)
    if not isinstance(bins, NumericBins):
        return statistic, value, p
    z = rank_z(reference[:-2], current[:-2])  # missing and invalid have no rank
    p_rank = float(2 * ndtr(-abs(z)))
    if p_rank <= p:
        statistic, value, p = "rank_z", z, p_rank
    return statistic, value, min(1.0, 2 * p)


def _test_bins(reference: Counts, current: Counts) -> tuple[Statistic, float, float]:
    mask = sparse(reference, current)
    chi2, freedom = chi_square(*pooled(reference, current, mask))
    p_chi2 = float(chdtrc(freedom, chi2)) if freedom else 1.0
    if not mask.any():
        return "chi_square", chi2, p_chi2
    excess, p_exact = exact(reference, current, mask)
    if p_exact < p_chi2:
        return "exact_binomial", excess, min(1.0, 2 * p_exact)
    return "chi_square", chi2, min(1.0, 2 * p_chi2)


def _shares(counts: Counts) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return counts / max(int(counts.sum()), 1)


def _bits(p: np.ndarray[tuple[int], np.dtype[np.float64]],
          q: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:  # fmt: skip
    """Kullback-Leibler divergence in bits; what p holds, q holds too."""
    held = p > 0
    return float((p[held] * np.log2(p[held] / q[held])).sum())
