"""What may a pickled model call while it is read? These few functions, beside constructors.

The pickler writes them in place of getattr, functools.partial, copy.deepcopy and the native
detector, each of which would do more than a model needs. Their names are part of the format.
Each raises RebuildError for arguments that no model has.
"""

from __future__ import annotations

import copy
import functools
from collections import defaultdict
from collections.abc import Sequence
from types import MethodType
from typing import Any, Final

from river._river_rust.drift import AdaptiveWindowing
from river.linear_model.pa import PAClassifier
from river.naive_bayes.gaussian import GaussianNB
from river.optim.base import Optimizer
from river.preprocessing.scale_target import TargetStandardScaler
from river.stats import Var
from river.tree.splitter.qo_splitter import Slot

from driftline.core.learning.search_trees import grown

BOUND: Final = frozenset({
    (PAClassifier, "_calc_tau_1"),
    (PAClassifier, "_calc_tau_2"),
    (TargetStandardScaler, "_scale"),
    (TargetStandardScaler, "_unscale"),
    (Slot, "_update_estimator_univariate"),
})  # fmt: skip
FACTORIES: Final[tuple[object, ...]] = (float, GaussianNB._make_gaussian)  # noqa: SLF001
# Of a detector, each with the largest value that a specification may give.
WINDOWING: Final = (1.0, 100_000, 100, 100_000, 100_000)
MAX_WINDOWING_BYTES: Final = 1 << 20


class RebuildError(ValueError):
    """A pickled model asks for what no model is made of."""


def bound_method(owner: object, name: str) -> MethodType:
    """The method of an object that is already there."""
    if (type(owner), name) not in BOUND:
        raise RebuildError(f"no method {name!r} is kept of a {type(owner).__name__}")
    method = getattr(owner, name)
    if not isinstance(method, MethodType):
        raise RebuildError(f"{name!r} is no method")
    return method


def copies_of(optimizer: object) -> functools.partial[object]:
    """A factory that copies an optimizer: each class of a softmax regression has its own."""
    if not isinstance(optimizer, Optimizer):
        raise RebuildError(f"a {type(optimizer).__name__} is no optimizer")
    return functools.partial(copy.deepcopy, optimizer)


def dicts_of(factory: object) -> functools.partial[defaultdict[Any, Any]]:
    """A factory of dicts with a default."""
    if not any(factory is known for known in FACTORIES):
        raise RebuildError("no model has dicts of these")
    return functools.partial(defaultdict, factory)


def windowing(parameters: Sequence[Any], state: bytes) -> AdaptiveWindowing:
    """The native part of ADWIN. It would believe any size and end the process on a torn state."""
    plausible = len(parameters) == len(WINDOWING) and all(
        type(value) in (int, float) and 0 <= value <= most
        for value, most in zip(parameters, WINDOWING, strict=True)
    )
    if not plausible or type(state) is not bytes or len(state) > MAX_WINDOWING_BYTES:
        raise RebuildError("these are no parameters of ADWIN")
    detector = AdaptiveWindowing(*parameters)
    _set_state(detector, state)
    if detector.__getstate__() != state or detector.__reduce_ex__(4)[1][1:] != tuple(parameters):
        raise RebuildError("the state of ADWIN does not read back as itself")
    return detector


def _set_state(detector: AdaptiveWindowing, state: bytes) -> None:
    try:
        detector.__setstate__(state)
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # Rust's, which is no Exception
            raise
        raise RebuildError("the state of ADWIN is torn") from None


def search_tree(rows: object) -> object:
    """The values that a leaf of a regression tree has seen, without recursion."""
    if not isinstance(rows, list) or not all(_is_row(row) for row in rows):
        raise RebuildError("these are no rows of a search tree")
    return grown(rows)


def _is_row(row: object) -> bool:
    return (
        isinstance(row, tuple)
        and len(row) == 4
        and isinstance(row[0], int | float)
        and type(row[1]) is Var
        and isinstance(row[2], bool)
        and isinstance(row[3], bool)
    )
