"""A search tree as rows and back."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river.stats import Var
from river.tree.splitter.ebst_splitter import EBSTNode

from driftline.core.learning.search_trees import flattened, grown


def tree(values: list[float]) -> Any:
    root: Any = EBSTNode(values[0], 1.0, 1.0)  # type: ignore[no-untyped-call]  # River's is bare
    for value in values[1:]:
        root.insert_value(value, 1.0, 1.0)
    return root


@settings(deadline=None)
@given(st.lists(st.floats(-100, 100), min_size=1, max_size=50))
def test_rows_grow_into_the_tree_that_they_came_from(values: list[float]) -> None:
    root = tree(values)
    again = grown(flattened(root))
    assert [row[0] for row in flattened(again)] == [row[0] for row in flattened(root)]
    assert [row[2:] for row in flattened(again)] == [row[2:] for row in flattened(root)]
    again.insert_value(1_000.0, 2.0, 1.0)
    assert flattened(again)[0].statistics.n == root.estimator.n


def test_a_chain_of_thousands_is_no_matter() -> None:
    assert len(flattened(grown(flattened(tree([float(i) for i in range(2_000)]))))) == 2_000


@pytest.mark.parametrize(
    "rows",
    [[], [(1.0, Var(), True, False)], [(1.0, Var(), False, False), (2.0, Var(), False, False)]],
    ids=["none", "a child missing", "a node too many"],
)
def test_rows_that_are_no_tree_are_refused(rows: list[Any]) -> None:
    with pytest.raises(ValueError, match="nodes than places"):
        grown(rows)
