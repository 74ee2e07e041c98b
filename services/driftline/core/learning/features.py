"""What does a pipeline see of a recorded prediction?

The features that the specification names, in the order of their names, each as the one Python type
of its kind: numbers and truth values as float, categories as str. Anything else is left out: a
missing value, null, what the monitor counts as invalid (another type, a number that is not finite
or beyond 64 bit, a string over 1 KB), and numbers beyond 1e15: their squares and products would
stop some of River's models for good. Nothing is filled in: a linear model takes a feature that is
left out as 0, which behind a StandardScaler is its mean; trees send it the way most events went;
GaussianNB ignores it.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from math import hypot
from operator import itemgetter
from typing import Any, Final, Self

from driftline_schemas.spec import Feature, FeatureKind

Features = dict[str, float | str]
MAX_STRING_BYTES: Final = 1_024
FLOATS: Final = {float}
LARGEST: Final = 1e15  # of a number that is learned, feature or label


@dataclass(frozen=True, slots=True)
class FeatureSchema:
    """Names and kinds, ordered by name."""

    kinds: tuple[tuple[str, FeatureKind], ...] = ()
    _names: tuple[str, ...] = field(init=False, repr=False, compare=False)
    _numbers: Callable[[Mapping[str, object]], tuple[object, ...]] | None = field(
        init=False, repr=False, compare=False
    )  # of a recorded prediction, where all features are numeric

    def __post_init__(self) -> None:
        names = tuple(name for name, _ in self.kinds)
        is_numeric = len(names) > 1 and all(kind == "numeric" for _, kind in self.kinds)
        object.__setattr__(self, "_names", names)
        object.__setattr__(self, "_numbers", itemgetter(*names) if is_numeric else None)

    @classmethod
    def of(cls, features: Collection[Feature]) -> Self:
        """The features of a specification."""
        return cls(tuple(sorted((feature.name, feature.kind) for feature in features)))

    @property
    def has_text(self) -> bool:
        """Whether a pipeline meets strings."""
        return any(kind == "categorical" for _, kind in self.kinds)

    @property
    def has_numbers(self) -> bool:
        """Whether a pipeline meets numbers."""
        return any(kind != "categorical" for _, kind in self.kinds)

    def canonical(self, recorded: Mapping[str, object]) -> Features:
        """A new dict; `recorded` is not touched."""
        if self._numbers is not None and (plain := self._plain(recorded)) is not None:
            return plain
        seen: Features = {}
        get = recorded.get
        for name, kind in self.kinds:
            value = get(name)
            # A finite float is what nearly every feature is.
            if type(value) is float and kind == "numeric":
                if -LARGEST <= value <= LARGEST:
                    seen[name] = value
            elif value is not None:
                _add(seen, name, kind, value)
        return seen

    def _plain(self, recorded: Mapping[str, object]) -> Features | None:
        """Where all are there and floats within bounds, which is nearly always: in a third of the
        time. Their Euclidean norm is at least as large as each of them, and NaN if one is."""
        assert self._numbers is not None  # noqa: S101 - canonical has looked
        try:
            values: Any = self._numbers(recorded)
        except KeyError:
            return None
        if {*map(type, values)} != FLOATS or not hypot(*values) < LARGEST:
            return None
        return dict(zip(self._names, values, strict=True))


def _add(seen: Features, name: str, kind: FeatureKind, value: object) -> None:
    if kind == "categorical":
        if isinstance(value, str) and _is_short(value):
            seen[name] = value
    elif kind == "boolean":
        if isinstance(value, bool):
            seen[name] = float(value)
    elif isinstance(value, int) and not isinstance(value, bool) and is_learnable(value):
        seen[name] = float(value)


def is_learnable(number: float) -> bool:
    """Whether a model may learn it; not NaN either."""
    return -LARGEST <= number <= LARGEST


def _is_short(text: str) -> bool:
    return len(text) * 4 <= MAX_STRING_BYTES or len(text.encode()) <= MAX_STRING_BYTES
