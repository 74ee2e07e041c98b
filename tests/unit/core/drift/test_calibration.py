"""How often do the tests cry wolf, and what do they find? Fixed seeds; tolerances are +-3 sd."""

import numpy as np
import pytest

from driftline.core.drift.bins import CategoricalBins, NumericBins, numeric_bins
from driftline.core.drift.counts import Counts
from driftline.core.drift.two_sample import compare

FEATURES = 20
LEVEL = 0.05 / FEATURES  # any of 20: .05


def drifts(bins: NumericBins, reference: Counts, values: np.ndarray, level: float) -> bool:
    return compare(bins, reference, bins.count(values.tolist()), level).outcome == "drifted"


@pytest.mark.parametrize(("n", "runs"), [(200, 250), (1_000, 150)])
def test_any_of_twenty_features_is_flagged_as_rarely_as_promised(n: int, runs: int) -> None:
    rng = np.random.default_rng(n)
    alarms = 0
    for _ in range(runs):
        # Bins of equal mass stand for any continuous feature; both samples are drawn anew.
        references = rng.multinomial(10_000, [1 / 20] * 20, size=FEATURES)
        windows = rng.multinomial(n, [1 / 20] * 20, size=FEATURES)
        alarms += any(_compared(r, c) for r, c in zip(references, windows, strict=True))
    spread = (0.05 * 0.95 / runs) ** 0.5
    assert 0.05 - 3 * spread <= alarms / runs <= 0.05 + 3 * spread


def _compared(reference: Counts, current: Counts) -> bool:
    bins = NumericBins(tuple(range(19)))
    padded = [np.append(side, [0, 0]) for side in (reference, current)]
    return compare(bins, padded[0], padded[1], LEVEL).outcome == "drifted"


def test_a_shift_of_a_quarter_deviation_is_found_in_a_thousand() -> None:
    rng = np.random.default_rng(7)
    sample = rng.normal(size=10_000).tolist()
    bins = numeric_bins(sample)
    reference = bins.count(sample)
    found = [drifts(bins, reference, rng.normal(0.25, 1, 1_000), LEVEL) for _ in range(100)]
    missed_at_200 = [drifts(bins, reference, rng.normal(0.25, 1, 200), LEVEL) for _ in range(100)]
    assert np.mean(found) >= 0.99
    assert 0.4 <= np.mean(missed_at_200) <= 0.75  # .60 over many runs


def test_a_rare_new_category_does_not_page_at_the_first_sight() -> None:
    rng = np.random.default_rng(5)
    bins = CategoricalBins(("a", "b", "c"))
    shares = [0.6, 0.3, 0.0998, 0.0, 0.0002, 0.0, 0.0]
    level = 3e-6  # of a window of 200 at the default budget
    runs = 1_500
    references = rng.multinomial(10_000, shares, size=runs)
    windows = rng.multinomial(200, shares, size=runs)
    pairs = zip(references, windows, strict=True)
    assert sum(compare(bins, r, c, level).outcome == "drifted" for r, c in pairs) == 0
