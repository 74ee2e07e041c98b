"""How is a model written? As a pickle without what is dead, dangerous or deep in it.

Each Gaussian of River carries a random generator that nothing ever draws from: 3.8 kB each, up to
96 % of a forest, and never the same bytes twice. All share one here.
"""

import copyreg
import functools
import pickle
from collections import defaultdict
from copy import deepcopy
from hashlib import sha256
from io import BytesIO
from random import Random
from types import MethodType
from typing import Any, Final

from river.__version__ import __version__ as river_version
from river._river_rust.drift import AdaptiveWindowing
from river.proba import Gaussian
from river.tree.splitter.ebst_splitter import EBSTNode

from driftline.core.learning.search_trees import flattened
from driftline.core.learning.state_hash import state_hash
from driftline.core.learning.versions import Dumped, Manifest
from driftline.runtime.models import rebuilding
from driftline.runtime.models.collecting import COLLECTING

PROTOCOL: Final = 5
DEAD: Final = Random(0)  # noqa: S311 - nothing draws from it
Reduced = tuple[Any, ...]


class UnwritableModelError(ValueError):
    """A model holds something that the loader would refuse."""


def dump(model: object) -> Dumped:
    """Bytes of a model and the manifest that the loader checks them against."""
    with COLLECTING:
        payload, found = written(model), state_hash(model)
    manifest = Manifest(sha256(payload).hexdigest(), len(payload), found, river_version)
    return Dumped(payload, manifest)


def written(model: object) -> bytes:
    """The pickle alone."""
    stream = BytesIO()
    _SlimPickler(stream, PROTOCOL).dump(model)
    return stream.getvalue()


class _Rules:
    """One per class whose own way of being pickled is not taken."""

    @staticmethod
    def gaussian(value: Any) -> Reduced:
        return copyreg.__newobj__, (Gaussian,), {**vars(value), "_rng": DEAD}  # type: ignore[attr-defined]  # typeshed hides it

    @staticmethod
    def method(value: MethodType) -> Reduced:
        return rebuilding.bound_method, (value.__self__, value.__func__.__name__)

    @staticmethod
    def partial(value: Any) -> Reduced:
        if value.func is deepcopy and len(value.args) == 1 and not value.keywords:
            return rebuilding.copies_of, value.args
        if value.func is defaultdict and len(value.args) == 1 and not value.keywords:
            return rebuilding.dicts_of, value.args
        raise UnwritableModelError(f"a model holds a partial of {value.func!r}")

    @staticmethod
    def windowing(value: Any) -> Reduced:
        _, arguments, state, *_ = value.__reduce_ex__(PROTOCOL)
        return rebuilding.windowing, (arguments[1:], state)

    @staticmethod
    def search_tree(value: Any) -> Reduced:
        return rebuilding.search_tree, ([tuple(row) for row in flattened(value)],)


RULES: Final = {
    Gaussian: _Rules.gaussian,
    MethodType: _Rules.method,
    functools.partial: _Rules.partial,
    AdaptiveWindowing: _Rules.windowing,
    EBSTNode: _Rules.search_tree,
}


class _SlimPickler(pickle.Pickler):
    def reducer_override(self, obj: object) -> Any:
        rule = RULES.get(type(obj))
        return NotImplemented if rule is None else rule(obj)
