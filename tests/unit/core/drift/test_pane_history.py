"""Old panes are kept in stretches: what they sum up to, how fine they are, how many there are."""

import json
from itertools import accumulate, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.core.drift.pane_history import PaneHistory, Stretch


def history(panes: list[int], recent: int = 16) -> PaneHistory:
    kept = PaneHistory(recent)
    for pane in panes:
        kept.add(pane, pane + 1, np.array([pane, 1]))
    return kept


def total(stretches: list[Stretch]) -> tuple[int, list[int]]:
    return sum(s.n for s in stretches), np.sum([s.counts for s in stretches], axis=0).tolist()


gaps = st.lists(st.sampled_from([1, 1, 1, 2, 3, 40, 5_000]), min_size=1, max_size=150)


def places(drawn: list[int]) -> list[int]:
    return list(accumulate(drawn))


@given(gaps)
def test_nothing_is_lost(drawn: list[int]) -> None:
    panes = places(drawn)
    found = history(panes).within(0, panes[-1] + 1)
    assert total(found) == (sum(panes) + len(panes), [sum(panes), len(panes)])


@given(gaps)
def test_stretches_do_not_overlap_and_are_as_fine_as_their_age_allows(drawn: list[int]) -> None:
    panes = places(drawn)
    found = history(panes).within(0, panes[-1] + 1)
    for left, right in pairwise(found):
        assert left.last < right.first
    for stretch in found:
        assert stretch.last - stretch.first < max(1, (panes[-1] - stretch.last) / 4)


@given(gaps)
def test_the_newest_panes_are_kept_one_by_one(drawn: list[int]) -> None:
    panes = places(drawn)
    recent = [pane for pane in panes if pane > panes[-1] - 16]
    found = history(panes).within(panes[-1] - 15, panes[-1] + 1)
    assert [(s.first, s.last) for s in found if s.first in recent] == [(p, p) for p in recent]


@given(gaps, st.integers(0, 150))
def test_a_restart_changes_nothing(drawn: list[int], cut: int) -> None:
    panes = places(drawn)
    restored = PaneHistory.restore(json.loads(json.dumps(history(panes[:cut]).snapshot())))
    for pane in panes[cut:]:
        restored.add(pane, pane + 1, np.array([pane, 1]))
    assert restored.snapshot() == history(panes).snapshot()


@pytest.mark.parametrize(("recent", "most"), [(16, 140), (2, 40)])
def test_memory_is_bounded(recent: int, most: int) -> None:
    assert len(history(list(range(20_000)), recent).snapshot()) < most


def test_a_stretch_that_crosses_the_wanted_panes_is_left_out() -> None:
    kept = history(list(range(100)))
    old = kept.within(0, 50)
    crossed = next(s for s in old if s.last > s.first)
    assert crossed not in kept.within(crossed.first + 1, 50)
    assert crossed in kept.within(crossed.first, 50)


def test_what_lies_below_is_dropped() -> None:
    kept = history(list(range(100)))
    kept.drop(90)
    assert [s.first for s in kept.within(0, 100)] == list(range(90, 100))
