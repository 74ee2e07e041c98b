"""Aligned blocks: which are judged, against a recomputation that looks at every block there is."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.core.drift.blocks import HIGHEST_LEVEL, Blocks, JudgedBlock

TARGETS = (3, 10, 40)
panes = st.lists(
    st.tuples(st.integers(1, 6) | st.just(17), st.integers(0, 6) | st.just(45)), max_size=40
)


def judged(blocks: Blocks, closed: list[tuple[int, int]]) -> list[tuple[int, int, int, int]]:
    found: list[JudgedBlock] = []
    for index, n in closed:
        found += blocks.close(index, n, {"x": np.array([n, index])})
    return [(b.start_index, b.panes, b.target, b.n) for b in found]


def recomputed(closed: list[tuple[int, int]]) -> list[tuple[int, int, int, int]]:
    """The same by definition: every block of every level, in the order that they close."""
    filled, end = dict(closed), max((index + 1 for index, _ in closed), default=0)
    taken: dict[int, list[tuple[int, int]]] = {w: [] for w in TARGETS}
    found = []
    for last in range(end):
        for width in (1 << k for k in range(12)):
            if (last + 1) % width:
                break
            start = last + 1 - width
            n = sum(filled.get(pane, 0) for pane in range(start, last + 1))
            for target in reversed(TARGETS):
                inside = any(start <= s and e <= last + 1 for s, e in taken[target])
                if n >= target and not inside:
                    taken[target].append((start, last + 1))
                    found.append((start, width, target, n))
    return found


def indexed(gaps: list[tuple[int, int]]) -> list[tuple[int, int]]:
    indices = np.cumsum([gap for gap, _ in gaps]).tolist()
    return [(index - 1, n) for index, (_, n) in zip(indices, gaps, strict=True)]


@given(panes)
def test_the_blocks_judged_are_those_of_the_definition(gaps: list[tuple[int, int]]) -> None:
    closed = indexed(gaps)
    assert judged(Blocks(TARGETS), closed) == recomputed(closed)


@given(panes)
def test_a_judged_block_holds_the_counts_of_its_panes(gaps: list[tuple[int, int]]) -> None:
    closed, blocks = indexed(gaps), Blocks(TARGETS)
    for index, n in closed:
        for block in blocks.close(index, n, {"x": np.array([n, 7])} if n else {}):
            span = range(block.start_index, block.start_index + block.panes)
            inside = [n for pane, n in closed if pane in span and n]
            assert block.counts["x"].tolist() == [sum(inside), 7 * len(inside)]


@given(panes, st.integers(0, 40))
def test_a_later_block_reaches_back_to_one_of_the_first_panes_only(
    gaps: list[tuple[int, int]], cut: int
) -> None:
    closed, blocks = indexed(gaps), Blocks(TARGETS)
    judged(blocks, closed[:cut])
    now, may_reach = blocks.next_pane, blocks.first_panes
    for start, width, _, _ in judged(blocks, closed[cut:]):
        reached = [pane for pane, n in closed if start <= pane < start + width and n]
        assert reached[0] >= now or reached[0] in may_reach


def test_a_pane_that_holds_enough_is_judged_by_itself() -> None:
    assert judged(Blocks(TARGETS), [(5, 4)]) == [(5, 1, 3, 4)]


def test_quiet_panes_are_joined_until_they_hold_enough() -> None:
    assert judged(Blocks(TARGETS), [(4, 1), (5, 1), (6, 1), (7, 0)]) == [(4, 4, 3, 3)]


def test_a_block_closes_with_its_last_pane_even_if_that_was_empty() -> None:
    blocks = Blocks(TARGETS)
    assert judged(blocks, [(4, 1), (6, 2)]) == []  # pane 7 is still open
    assert judged(blocks, [(100, 0)]) == [(4, 4, 3, 3)]


def test_a_block_is_not_judged_again_for_what_a_part_of_it_was_judged_for() -> None:
    assert judged(Blocks(TARGETS), [(0, 9), (1, 2)]) == [(0, 1, 3, 9), (0, 2, 10, 11)]


def test_one_block_is_judged_for_the_largest_target_first() -> None:
    assert [b[2] for b in judged(Blocks(TARGETS), [(0, 50)])] == [40, 10, 3]


def test_a_gap_of_a_billion_panes_costs_as_little_as_none() -> None:
    start = 10**9 + 1
    assert judged(Blocks(TARGETS), [(start, 1), (2 * start, 1), (2 * start + 1, 2)]) == [
        (2 * start, 2, 3, 3)
    ]


def test_blocks_above_the_highest_level_are_not_made() -> None:
    edge = 1 << HIGHEST_LEVEL
    assert judged(Blocks(TARGETS), [(edge - 1, 2), (2 * edge - 1, 2)]) == []
    assert judged(Blocks(TARGETS), [(0, 2), (edge - 1, 2)]) == [(0, edge, 3, 4)]


def test_open_blocks_stay_few() -> None:
    blocks = Blocks(TARGETS)
    for index in range(0, 3_000_000, 1_007):
        blocks.close(index, 1, {})
        assert len(blocks.snapshot()["halves"]) <= HIGHEST_LEVEL + 1


def test_a_feature_that_comes_or_goes_is_counted_where_it_was() -> None:
    blocks = Blocks(TARGETS)
    blocks.close(0, 2, {"old": np.array([2, 0])})
    (block,) = blocks.close(1, 2, {"new": np.array([0, 2])})
    assert {k: v.tolist() for k, v in block.counts.items()} == {"old": [2, 0], "new": [0, 2]}


def test_the_counts_given_are_neither_changed_nor_kept() -> None:
    blocks, counts = Blocks(TARGETS), {"x": np.array([1, 1])}
    blocks.close(0, 2, counts)
    counts["x"] += 100
    (block,) = blocks.close(1, 2, {"x": np.array([1, 1])})
    assert block.counts["x"].tolist() == [2, 2]


@pytest.mark.parametrize("index", [3, 2, -1])
def test_a_pane_closes_once_and_in_order(index: int) -> None:
    blocks = Blocks(TARGETS)
    blocks.close(3, 1, {})
    with pytest.raises(ValueError, match="closed already"):
        blocks.close(index, 1, {})


def test_counts_by_other_bins_do_not_add_up() -> None:
    blocks = Blocks(TARGETS)
    blocks.close(0, 1, {"x": np.array([1, 0, 0])})
    with pytest.raises(ValueError, match="broadcast"):
        blocks.close(1, 1, {"x": np.array([1, 0, 0, 0])})


@given(panes)
def test_closing_ends_never_go_back(gaps: list[tuple[int, int]]) -> None:
    ends: list[Any] = [start + width for start, width, _, _ in judged(Blocks(), indexed(gaps))]
    assert all(a <= b for a, b in pairwise(ends))
