"""How is a binary search tree of a regression tree's leaf written without recursion?

River's EBST and TEBST splitters keep one node per value of a feature. Where a feature grows with
time the tree is a chain thousands deep, which neither pickle nor a recursive walk survives.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from river.stats import Var
from river.tree.splitter.ebst_splitter import EBSTNode


class FlatNode(NamedTuple):
    """A node in preorder, and which of its children follow."""

    value: float
    statistics: Var
    has_left: bool
    has_right: bool


def flattened(root: Any) -> list[FlatNode]:
    """The nodes of a tree in preorder."""
    rows, waiting = [], [root]
    while waiting:
        node = waiting.pop()
        left, right = node._left, node._right  # noqa: SLF001 - River's nodes have no other face
        rows.append(FlatNode(node.att_val, node.estimator, left is not None, right is not None))
        waiting += [child for child in (right, left) if child is not None]
    return rows


def grown(rows: Sequence[tuple[float, Var, bool, bool]]) -> Any:
    """The tree that `flattened` gave. Raises ValueError where the rows are no tree."""
    root: Any = None
    places: list[tuple[Any, str]] = []
    for value, statistics, has_left, has_right in rows:
        node = _node(value, statistics)
        if root is None:
            root = node
        elif places:
            setattr(*places.pop(), node)
        else:
            raise ValueError("more nodes than places")
        places += [(node, name) for name, has in _children(has_left, has_right) if has]
    if places or root is None:
        raise ValueError("fewer nodes than places")
    return root


def _children(has_left: bool, has_right: bool) -> tuple[tuple[str, bool], tuple[str, bool]]:
    return ("_right", has_right), ("_left", has_left)


def _node(value: float, statistics: Var) -> Any:
    node: Any = EBSTNode.__new__(EBSTNode)
    node.att_val, node.estimator = value, statistics
    node._update_estimator = EBSTNode._update_estimator_univariate  # noqa: SLF001
    node._left = node._right = None  # noqa: SLF001
    return node
