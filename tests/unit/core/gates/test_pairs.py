"""Which pairs count, when, and which version they prove."""

from statistics import fmean, variance

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.core.gates.pairs import Pair, PairedResults, PairPolicy

AT_ONCE = PairPolicy()
GAINS = st.lists(st.sampled_from([-1.0, 0.0, 1.0, 0.25]), min_size=2, max_size=80)


def filled(gains: list[float], policy: PairPolicy = AT_ONCE, since: int = -1) -> PairedResults:
    results = PairedResults(policy, since)
    for i, gain in enumerate(gains):
        results.add(Pair(i, i, i // 50, gain))
    return results


@settings(deadline=None)
@given(GAINS)
def test_the_sums_give_mean_and_variance(gains: list[float]) -> None:
    found = filled(gains).gains(now=10**6)
    assert found.n == len(gains)
    assert found.mean == pytest.approx(fmean(gains), abs=1e-12)
    assert found.variance == pytest.approx(variance(gains), abs=1e-12)


def test_predictions_made_at_the_restart_or_before_do_not_count() -> None:
    assert filled([1.0] * 10, since=4).gains(100).n == 5


def test_a_pair_counts_once_its_prediction_is_mature() -> None:
    results = filled([1.0] * 10, PairPolicy(maturity_ms=100))
    assert [results.gains(now).n for now in (99, 100, 104, 104, 1_000)] == [0, 1, 5, 5, 10]


def test_labels_that_come_late_count_at_once() -> None:
    results = PairedResults(PairPolicy(maturity_ms=100), -1)
    results.add(Pair(50, 1, 0, 1.0))
    results.add(Pair(5, 2, 0, 1.0))
    assert results.gains(now=120).n == 1


def test_blocks_count_once_they_are_over_and_mature() -> None:
    policy = PairPolicy(maturity_ms=5, block_ms=10)
    results = filled([1.0] * 10 + [0.0] * 5 + [1.0] * 5 + [0.0] * 10, policy)
    early, later = results.gains(24), results.gains(25)
    assert (early.n, early.blocks, early.mean) == (20, 1, 1.0)
    assert (later.n, later.blocks, later.mean) == (21, 2, 0.75)
    assert later.variance == pytest.approx(0.125)
    assert results.gains(1_000).blocks == 3


@pytest.mark.parametrize(
    ("judged", "proven"),
    [
        ({0: 99}, None),
        ({0: 100}, 0),
        ({3: 50, 4: 50, 5: 50, 6: 20}, 4),
        ({3: 50, 4: 50, 5: 100, 6: 20}, 5),
        ({3: 150, 4: 99}, 3),
    ],
    ids=["too few", "enough", "with those after it", "itself", "all of them"],
)
def test_the_version_to_deploy_is_proven_by_a_hundred_pairs(
    judged: dict[int, int], proven: int | None
) -> None:
    results = PairedResults(PairPolicy(), -1)
    for number, n in judged.items():
        for i in range(n):
            results.add(Pair(i, number * 1_000 + i, number, 0.0))
    results.gains(10**6)
    assert results.proven_version() == proven


def test_superseded_versions_are_forgotten() -> None:
    results = PairedResults(PairPolicy(), -1)
    for i in range(30_000):
        results.add(Pair(i, i, i // 10, 0.0))
    results.gains(10**6)
    assert results.proven_version() == 2_990
    assert len(results.snapshot()["versions"]) <= 101


@settings(deadline=None)
@given(GAINS, st.integers(0, 80), st.sampled_from([None, 7]))
def test_restored_results_go_on_identically(
    gains: list[float], at: int, block_ms: int | None
) -> None:
    policy = PairPolicy(maturity_ms=5, block_ms=block_ms)
    straight, restarted = PairedResults(policy, -1), PairedResults(policy, -1)
    for i, gain in enumerate(gains):
        if i == at:
            restarted = PairedResults.restore(policy, restarted.snapshot())
        for results in (straight, restarted):
            results.add(Pair(i, i, i // 3, gain))
        assert straight.gains(i) == restarted.gains(i)
    assert straight.snapshot() == restarted.snapshot()
