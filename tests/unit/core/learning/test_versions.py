"""Which versions are kept, and which one existed when."""

from math import floor, log2

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.core.learning.versions import Manifest, Recipe, Shelf, Version, is_kept
from tests.unit.core.learning.examples import recipe

MANIFEST = Manifest("0" * 64, 1, "1" * 64, "0.26.1")


def version(number: int, time: int) -> Version:
    return Version(number, f"{number:016x}", (0, number), time, number, MANIFEST)


def shelf(times: list[int], horizon: int = 10**9) -> Shelf:
    filled = Shelf(horizon)
    for number, time in enumerate(times):
        filled.add(version(number, time))
    return filled


@settings(deadline=None)
@given(st.integers(0, 5_000), st.integers(0, 5_000))
def test_older_versions_are_kept_by_the_rule(one: int, other: int) -> None:
    number, newest = sorted([one, other])
    age = newest - number
    expected = age < 16 or number % 2 ** (floor(log2(age / 16)) + 1) == 0
    assert is_kept(number, newest) == expected


@settings(deadline=None)
@given(st.integers(1, 600))
def test_adding_one_by_one_keeps_what_the_rule_says_of_all(n: int) -> None:
    numbers = [v.number for v in shelf(list(range(n)))]
    assert numbers == [v for v in range(n) if is_kept(v, n - 1)]


def test_a_thousand_versions_are_few() -> None:
    assert len(shelf(list(range(1_000)))) < 70


def test_a_version_exists_strictly_after_its_time() -> None:
    kept = shelf([10, 20, 20, 30])
    found = [kept.before(time) for time in (10, 11, 20, 21, 30, 31)]
    assert [None if v is None else v.number for v in found] == [None, 0, 0, 2, 2, 3]


def test_a_shelf_that_was_kept_finds_what_it_found_before() -> None:
    kept = shelf([0, 10, 20, 30, 40], horizon=15)
    again = Shelf(15, list(kept))
    assert [again.before(time) for time in range(50)] == [kept.before(time) for time in range(50)]


def test_beyond_the_horizon_one_version_is_kept_for_the_oldest_question() -> None:
    kept = shelf([0, 10, 20, 30, 40], horizon=15)
    assert [v.number for v in kept] == [2, 3, 4]  # asked at 25 or later
    oldest = kept.before(25)
    assert oldest is not None
    assert oldest.number == 2


@settings(deadline=None)
@given(st.lists(st.integers(0, 50), min_size=1, max_size=60), st.integers(0, 60))
def test_no_version_of_the_future_is_found(steps: list[int], horizon: int) -> None:
    times = [sum(steps[: i + 1]) for i in range(len(steps))]
    kept = shelf(times, horizon)
    for asked in range(max(0, times[-1] - horizon), times[-1] + 2):
        found = kept.before(asked)
        if found is None:
            assert asked <= times[0]
        else:
            assert found.time < asked


def test_a_version_survives_json() -> None:
    assert Version.of(version(3, 7).row()) == version(3, 7)


@pytest.mark.parametrize(
    "other",
    [
        Recipe("m", "p", "1" * 16, {}, "code", {"python": "3.11"}),
        Recipe("m", "p", "0" * 16, {"1.seed": 2}, "code", {"python": "3.11"}),
        Recipe("m", "p", "0" * 16, {}, "other code", {"python": "3.11"}),
        Recipe("m", "p", "0" * 16, {}, "code", {"python": "3.12"}),
        Recipe("m", "p", "0" * 16, {}, "code", {"python": "3.11"}, {"file": "f" * 64, "passes": 2}),
    ],
    ids=["spec", "seeds", "code", "environment", "origin"],
)
def test_whatever_makes_another_model_makes_another_id(other: Recipe) -> None:
    assert other.version_id((0, 9)) != recipe().version_id((0, 9))
    assert recipe().version_id((0, 9)) == recipe().version_id((0, 9))
    assert recipe().version_id((0, 9)) != recipe().version_id((0, 10))
