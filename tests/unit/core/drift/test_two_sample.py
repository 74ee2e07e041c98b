"""Two-sample tests and distances on counts, against SciPy's on the values where it has one."""

from math import log, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial import distance

from driftline.core.drift.bins import BooleanBins, FeatureBins, NumericBins, numeric_bins
from driftline.core.drift.counts import Counts
from driftline.core.drift.two_sample import (
    chi_square,
    compare,
    jensen_shannon,
    rank_z,
)


def counts(*values: int) -> Counts:
    return np.array(values, np.int64)


R, C = counts(40, 30, 0, 20, 10), counts(9, 13, 0, 11, 17)


def test_the_rank_score_is_that_of_mann_whitney_with_ties() -> None:
    values = np.arange(5)
    p = stats.mannwhitneyu(
        values.repeat(C), values.repeat(R), use_continuity=False, method="asymptotic"
    ).pvalue
    assert 2 * stats.norm.sf(rank_z(R, C)) == pytest.approx(p, rel=1e-9)
    assert rank_z(R, C) > 0
    assert rank_z(C, R) == pytest.approx(-rank_z(R, C))


def test_chi_square_is_that_of_the_contingency_table() -> None:
    table = stats.chi2_contingency(np.stack([R, C])[:, R + C > 0], correction=False)
    statistic, freedom = chi_square(R, C)
    assert statistic == pytest.approx(table.statistic)
    assert freedom == table.dof == 3


def test_the_distance_is_that_of_scipy() -> None:
    p, q = R / R.sum(), C / C.sum()
    assert jensen_shannon(R, C) == pytest.approx(distance.jensenshannon(p, q, 2))


def test_figures_agree_with_other_tools_where_the_definition_is_shared() -> None:
    # Evidently's Jensen-Shannon distance is ours in natural units.
    ref = counts(*np.bincount([((k * 7919) % 10) // 3 for k in range(1, 2001)], minlength=4))
    cur = counts(*np.bincount([((k * 7919) % 11) // 3 for k in range(1, 501)], minlength=4))
    assert jensen_shannon(ref, cur) * sqrt(log(2)) == pytest.approx(0.0857033708881235, rel=1e-12)
    assert jensen_shannon(ref, cur) == pytest.approx(0.102940239282262, rel=1e-12)
    assert chi_square(ref, cur)[0] == pytest.approx(27.3938509583586, rel=1e-12)


def test_samples_apart_have_distance_one() -> None:
    assert jensen_shannon(counts(5, 0), counts(0, 9)) == 1.0


@pytest.mark.parametrize(
    ("bins", "reference", "current", "outcome", "reason"),
    [
        pytest.param(BooleanBins(), (0, 0, 0, 0), (1, 2, 0, 0), "cannot_evaluate", "reference",
                     id="no reference"),
        pytest.param(BooleanBins(), (1, 2, 0, 0), (0, 0, 0, 0), "not_enough_data", "window",
                     id="no predictions"),
        pytest.param(BooleanBins(), (0, 0, 0, 0), (0, 0, 0, 0), "cannot_evaluate", "reference",
                     id="nothing at all"),
        pytest.param(BooleanBins(), (0, 9, 0, 0), (0, 5, 0, 0), "cannot_evaluate", "same bin",
                     id="both constant and equal"),
        pytest.param(BooleanBins(), (1, 2, 0), (1, 2, 0, 0), "cannot_evaluate", "other bins",
                     id="other bins"),
        pytest.param(NumericBins(()), (99, 0, 0), (0, 99, 0), "drifted", "<=",
                     id="numbers that are all missing now"),
        pytest.param(NumericBins(()), (0, 99, 0), (0, 0, 99), "drifted", "<=",
                     id="no numbers on either side"),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_an_outcome(
    bins: FeatureBins,
    reference: tuple[int, ...],
    current: tuple[int, ...],
    outcome: str,
    reason: str,
) -> None:
    comparison = compare(bins, counts(*reference), counts(*current), alpha=0.001)
    assert comparison.outcome == outcome
    assert reason in comparison.reason


@pytest.mark.parametrize("changed", [6.9, 7.1])
def test_a_constant_reference_whose_current_differs_is_drift(changed: float) -> None:
    bins = numeric_bins([7.0] * 1_000)
    reference, current = bins.count([7.0] * 1_000), bins.count([changed] * 200)
    assert compare(bins, reference, current, alpha=3e-6).outcome == "drifted"


def test_numbers_pay_for_two_tests_and_the_rest_for_one() -> None:
    z, chi2 = rank_z(R[:-2], C[:-2]), stats.chi2.sf(*chi_square(R, C))
    number = compare(NumericBins((1.0, 2.0)), R, C, alpha=0.05)
    assert number.p_value == pytest.approx(2 * min(2 * stats.norm.sf(abs(z)), chi2))
    truth = compare(BooleanBins(), counts(50, 50, 0, 0), counts(30, 70, 0, 0), alpha=0.05)
    assert truth.p_value == pytest.approx(stats.chi2.sf(8.333333, 1), rel=1e-5)


def test_the_statistic_that_spoke_loudest_is_named() -> None:
    bins = NumericBins(tuple(range(9)))
    flat = counts(*[100] * 10, 0, 0)
    rising = counts(*range(15, 65, 5), 0, 0)
    humped = counts(*[20, 30, 40, 50, 60, 60, 50, 40, 30, 20], 0, 0)
    assert compare(bins, flat, rising, 1e-3).statistic == "rank_z"
    assert compare(bins, flat, humped, 1e-3).statistic == "chi_square"
    assert compare(bins, flat, flat, 1e-3).outcome == "ok"


def test_one_missing_value_in_a_small_window_is_no_drift_but_five_are() -> None:
    bins = NumericBins(tuple(range(19)))
    reference, current = counts(*[500] * 20, 0, 0), counts(*[10] * 20, 0, 0)
    one, five = current.copy(), current.copy()
    one[20], five[20] = 1, 5
    assert compare(bins, reference, one, alpha=3e-6).outcome == "ok"
    found = compare(bins, reference, five, alpha=3e-6)
    assert (found.outcome, found.statistic) == ("drifted", "exact_binomial")


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)), min_size=4, max_size=4))
def test_any_counts_give_numbers_in_range(pairs: list[tuple[int, int]]) -> None:
    reference, current = (counts(*side) for side in zip(*pairs, strict=True))
    before = reference.copy(), current.copy()
    for bins in (NumericBins((0.0,)), BooleanBins()):
        comparison = compare(bins, reference, current, alpha=0.01)
        assert comparison.p_value is None or 0 <= comparison.p_value <= 1
        assert 0 <= comparison.effect <= 1
        assert np.isfinite(comparison.value)
    assert (reference == before[0]).all()
    assert (current == before[1]).all()
