"""What does a pipeline see of a recorded prediction?

The features that the specification names, in the order of their names, each as the one Python type
of its kind: numbers and truth values as float, categories as str. Anything else is left out: a
missing value, null, and what the monitor counts as invalid (another type, a number that is not
finite or beyond 64 bit, a string over 1 KB). Nothing is filled in: a linear model takes a feature
that is left out as 0, which behind a StandardScaler is its mean; trees send it the way most events
went; GaussianNB ignores it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Final, Self

from driftline_schemas.spec import Feature, FeatureKind

Features = dict[str, float | str]
MAX_STRING_BYTES: Final = 1_024
LOWEST, HIGHEST = -(2**63), 2**64 - 1


@dataclass(frozen=True, slots=True)
class FeatureSchema:
    """Names and kinds, ordered by name."""

    kinds: tuple[tuple[str, FeatureKind], ...]

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
        seen: Features = {}
        get = recorded.get
        for name, kind in self.kinds:
            value = get(name)
            # A finite float is what nearly every feature is.
            if type(value) is float and kind == "numeric":
                if isfinite(value):
                    seen[name] = value
            elif value is not None:
                _add(seen, name, kind, value)
        return seen


def _add(seen: Features, name: str, kind: FeatureKind, value: object) -> None:
    if kind == "categorical":
        if isinstance(value, str) and _is_short(value):
            seen[name] = value
    elif kind == "boolean":
        if isinstance(value, bool):
            seen[name] = float(value)
    elif isinstance(value, int) and not isinstance(value, bool) and LOWEST <= value <= HIGHEST:
        seen[name] = float(value)


def _is_short(text: str) -> bool:
    return len(text) * 4 <= MAX_STRING_BYTES or len(text.encode()) <= MAX_STRING_BYTES
