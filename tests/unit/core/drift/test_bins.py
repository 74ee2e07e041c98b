"""Bins of a reference: where each value falls, and the same counts by both paths."""

from math import inf, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.core.drift.bins import (
    INVALID,
    BooleanBins,
    CategoricalBins,
    FeatureBins,
    NumericBins,
    categorical_bins,
    numeric_bins,
)

odd = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.sampled_from([2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 10**400]),
    st.floats(),
    st.text(max_size=3),
    st.just("é" * 513),
    st.sampled_from(["a", "b", "\ud800"]),
    st.lists(st.integers(), max_size=1),
    st.dictionaries(st.text(max_size=1), st.integers(), max_size=1),
    st.just(INVALID),
)
numbers = st.one_of(st.none(), st.floats(-10, 10), st.integers(-5, 5), st.floats())
names = st.one_of(st.none(), st.sampled_from("abcdefgh"), st.text())
columns = st.one_of(*(st.lists(values) for values in (odd, numbers, names)))
any_bins: st.SearchStrategy[FeatureBins] = st.one_of(
    st.lists(numbers, max_size=60).map(numeric_bins),
    st.lists(names, max_size=60).map(categorical_bins),
    st.just(BooleanBins()),
)


@given(any_bins, columns)
def test_a_column_counts_as_its_values_one_by_one(bins: FeatureBins, column: list[object]) -> None:
    one_by_one = np.zeros(bins.size, np.int64)
    for value in column:
        one_by_one[bins.index(value)] += 1
    counts = bins.count(column)
    assert counts.dtype == np.int64
    assert counts.tolist() == one_by_one.tolist()


@given(any_bins, columns, columns)
def test_counts_of_two_batches_add_up_to_those_of_both(
    bins: FeatureBins, left: list[object], right: list[object]
) -> None:
    assert (bins.count(left) + bins.count(right)).tolist() == bins.count(left + right).tolist()


@given(any_bins, columns)
def test_counting_does_not_change_the_column(bins: FeatureBins, column: list[object]) -> None:
    before = list(column)
    bins.count(column, nonfinite=range(len(column)))
    assert all(a is b for a, b in zip(before, column, strict=True))


@pytest.mark.parametrize(
    ("value", "index"),
    [
        pytest.param(-1.0, 0, id="below the first edge"),
        pytest.param(0, 1, id="an edge belongs to the bin above it"),
        pytest.param(0.5, 1, id="between edges"),
        pytest.param(7, 2, id="above the last edge"),
        pytest.param(None, 3, id="null or absent is missing"),
        pytest.param(INVALID, 4, id="listed under nonfinite"),
        pytest.param("1.0", 4, id="a string that reads as a number"),
        pytest.param(True, 4, id="a bool"),
        pytest.param(2**64, 4, id="an integer wider than 64 bit"),
        pytest.param(2**64 - 1, 2, id="the largest unsigned integer"),
        pytest.param(nan, 4, id="not a number"),
        pytest.param(inf, 4, id="infinite"),
        pytest.param([1.0], 4, id="a list"),
        pytest.param({}, 4, id="a dict"),
    ],
)
def test_a_number_falls_into_its_bin(value: object, index: int) -> None:
    assert NumericBins((0.0, 1.0)).index(value) == index


@pytest.mark.parametrize(
    ("value", "index"),
    [
        pytest.param("c00", 0, id="the most frequent"),
        pytest.param("c19", 19, id="the last with a bin of its own"),
        pytest.param("c20", 20, id="listed, but not among the top"),
        pytest.param("z", 21, id="not listed"),
        pytest.param("", 21, id="the empty string is a name"),
        pytest.param("é" * 512, 21, id="1,024 bytes"),
        pytest.param(None, 22, id="missing"),
        pytest.param("é" * 513, 23, id="over 1,024 bytes"),
        pytest.param(1, 23, id="a number"),
        pytest.param(False, 23, id="a bool"),
        pytest.param(INVALID, 23, id="listed under nonfinite"),
    ],
)
def test_a_category_falls_into_its_bin(value: object, index: int) -> None:
    bins = CategoricalBins(tuple(f"c{i:02}" for i in range(25)))
    assert (bins.size, bins.index(value)) == (24, index)


@pytest.mark.parametrize(
    ("value", "index"),
    [(False, 0), (True, 1), (None, 2), (1, 3), (0.0, 3), ("true", 3), (INVALID, 3)],
)
def test_a_truth_value_falls_into_its_bin(value: object, index: int) -> None:
    assert BooleanBins().index(value) == index


def test_positions_listed_as_nonfinite_count_as_invalid() -> None:
    assert NumericBins((0.0,)).count([1.0, None, 2.0], nonfinite={1}).tolist() == [0, 2, 0, 1]


def test_a_continuous_reference_fills_twenty_bins_evenly() -> None:
    values = np.random.default_rng(1).normal(size=10_000).tolist()
    counts = numeric_bins(values).count(values)
    assert len(counts) == 22
    assert counts[:20].min() >= 499
    assert counts[:20].max() <= 501


def test_edges_are_values_of_the_reference() -> None:
    assert set(numeric_bins(range(1_000)).edges) <= set(range(1_000))


@given(st.lists(numbers, max_size=200))
def test_a_reference_makes_at_most_nineteen_rising_edges(values: list[object]) -> None:
    edges = numeric_bins(values).edges
    assert len(edges) <= 19
    assert sorted(set(edges)) == list(edges)


@pytest.mark.parametrize("changed", [2.9, 3.1])
def test_a_constant_reference_keeps_its_value_apart(changed: float) -> None:
    bins = numeric_bins([3.0] * 50)
    assert bins.index(3.0) != bins.index(changed)


def test_a_value_that_fills_most_of_the_reference_keeps_a_bin_of_its_own() -> None:
    bins = numeric_bins([0.0] * 97 + [1.0] * 3)
    assert bins.index(0.0) != bins.index(1.0)


def test_an_empty_reference_makes_one_bin() -> None:
    assert numeric_bins([None, nan, "x"]).count([1.0, None]).tolist() == [1, 1, 0]


def test_categories_are_ranked_by_frequency_then_name() -> None:
    assert categorical_bins(["b", "c", "a", "c", None, "é" * 513]).categories == ("c", "a", "b")


def test_at_most_a_thousand_categories_are_listed() -> None:
    assert len(categorical_bins(f"c{i}" for i in range(1_500)).categories) == 1_000


@pytest.mark.parametrize("edges", [(1.0, 1.0), (2.0, 1.0), (nan,), (0.0, inf)])
def test_edges_that_are_not_rising_numbers_are_refused(edges: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="increasing"):
        NumericBins(edges)


@pytest.mark.parametrize(
    "categories",
    [
        pytest.param(("a", "a"), id="one twice"),
        pytest.param(tuple(map(str, range(1_001))), id="over a thousand"),
        pytest.param(("a" * 1_025,), id="too long"),
    ],
)
def test_a_list_of_categories_that_cannot_be_is_refused(categories: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="categor"):
        CategoricalBins(categories)
