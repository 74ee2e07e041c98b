"""Rows to try a version on before it serves. Pure: the same seed draws the same rows.

With bins: each feature falls into one of its bins as often as it did in the reference, the places
for names that are new and for values that are missing or invalid included, and lies anywhere
inside it; the two outer bins of numbers reach as far as an inner one is wide on average. Features
are drawn independently of each other: the rows say whether a version answers, not how well.
Without bins: numbers around 0, one name, both truth values. Some values are left out in either
case, since one may always be missing.
"""

from collections.abc import Callable
from functools import partial
from random import Random
from typing import Final

from driftline.core.drift.bins import TOP_CATEGORIES
from driftline.scorer.wanted import Contract
from driftline_schemas.control import Bins
from driftline_schemas.spec import FeatureKind, ModelSpec

ROWS: Final = 100
LEFT_OUT: Final = 0.05  # of the values, whatever the reference says
UNSEEN: Final = "a name that the reference does not have"
Value = float | str | bool | None
Draw = Callable[[], Value]


def reference_rows(contract: Contract, seed: str, rows: int = ROWS) -> list[dict[str, Value]]:
    """Rows as they would be recorded; None is a missing value."""
    chance = Random(seed)  # noqa: S311 - no secret depends on it
    draws = {name: _draw(contract, name, kind, chance) for name, kind in _kinds(contract.spec)}
    return [
        {name: None if chance.random() < LEFT_OUT else draw() for name, draw in draws.items()}
        for _ in range(rows)
    ]


def _kinds(spec: ModelSpec) -> list[tuple[str, FeatureKind]]:
    return sorted((feature.name, feature.kind) for feature in spec.features)


def _draw(contract: Contract, name: str, kind: FeatureKind, chance: Random) -> Draw:
    bins = contract.bins.features.get(name) if contract.bins else None
    if bins is None or bins.kind != kind or not any(bins.reference):
        return partial(_unknown, kind, chance)
    values = _VALUES[kind]
    places = range(len(bins.reference))
    return lambda: values(bins, chance.choices(places, bins.reference)[0], chance)


def _unknown(kind: FeatureKind, chance: Random) -> Value:
    if kind == "numeric":
        return chance.gauss(0, 1)
    return chance.random() < 0.5 if kind == "boolean" else UNSEEN


def _number(bins: Bins, place: int, chance: Random) -> Value:
    edges = bins.edges or []
    if place > len(edges):  # missing, invalid
        return None
    if not edges:
        return chance.gauss(0, 1)
    width = (edges[-1] - edges[0]) / max(1, len(edges) - 1) or 1.0
    low = edges[place - 1] if place > 0 else edges[0] - width
    high = edges[place] if place < len(edges) else edges[-1] + width
    return chance.uniform(low, high)


def _name(bins: Bins, place: int, chance: Random) -> Value:
    names = bins.categories or []
    top = min(TOP_CATEGORIES, len(names))
    if place < top:
        return names[place]
    if place == top and len(names) > top:
        return chance.choice(names[top:])
    return UNSEEN if place <= top + 1 else None


def _truth(_bins: Bins, place: int, _chance: Random) -> Value:
    return bool(place) if place < 2 else None


_VALUES: Final[dict[FeatureKind, Callable[[Bins, int, Random], Value]]] = {
    "numeric": _number,
    "categorical": _name,
    "boolean": _truth,
}
