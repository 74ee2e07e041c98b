"""What do bins say that hold too few predictions for the chi-square test?

A bin that should hold .02 predictions of a window adds 50 to the statistic as soon as it holds
one: with a reference of 10,000, the first missing value in 200 would page somebody (measured:
2,000 times as often as promised). So bins with an expectation below five are pooled for the
chi-square, and each is asked by itself with exact probabilities.

Sparse is judged by both samples together, which without drift says nothing about how they
differ; a cut by the reference alone selects bins that it happens to hold too few of (DRIFT.md 5d).
"""

from __future__ import annotations

from typing import Final, TypeAlias

import numpy as np
from scipy.special import bdtr, bdtrc

from driftline.core.drift.counts import Counts

LEAST_EXPECTED: Final = 5  # in the smaller sample; the usual rule (Cochran 1954)

Mask: TypeAlias = np.ndarray[tuple[int], np.dtype[np.bool_]]


def sparse(reference: Counts, current: Counts) -> Mask:
    """Which filled bins expect too few of the smaller sample."""
    both = reference + current
    smaller = min(reference.sum(), current.sum())
    mask: Mask = (both > 0) & (both * (smaller / both.sum()) < LEAST_EXPECTED)
    return mask


def pooled(reference: Counts, current: Counts, mask: Mask) -> tuple[Counts, Counts]:
    """The other bins, and the masked ones as a single bin if that is not sparse itself."""
    r = np.append(reference[~mask], reference[mask].sum())
    c = np.append(current[~mask], current[mask].sum())
    kept = ~sparse(r, c)
    return r[kept], c[kept]


def exact(reference: Counts, current: Counts, mask: Mask) -> tuple[float, float]:
    """(excess, p): how many more than expected the window has in its most unlikely masked bin.

    Given how many predictions a bin holds in all, those of the window are binomial at most (they
    are hypergeometric, which is narrower). Two-sided, and paid for by the number of bins asked.
    """
    r, c = reference[mask], current[mask]
    share = current.sum() / (reference.sum() + current.sum())
    p = 2 * np.minimum(bdtr(c, r + c, share), bdtrc(c - 1, r + c, share))
    least = int(p.argmin())
    excess = c[least] - (r + c)[least] * share
    return float(excess), min(1.0, float(p[least]) * len(p))
