"""Which values may a parameter of a model have?"""

from dataclasses import dataclass
from math import isfinite
from typing import Final, Literal, Protocol

from driftline.core.learning.refusal import PipelineRefusedError, Place

Role = Literal[
    "transformer", "classifier", "regressor", "optimizer", "scheduler", "initializer",
    "binary_loss", "class_loss", "regression_loss", "class_splitter", "regression_splitter",
    "detector",
]  # fmt: skip
MANY: Final = 10**9


class Parameter(Protocol):
    """What a specification may say here."""

    def read(self, value: object, place: Place) -> object:
        """The value to build with; PipelineRefusedError for any other."""
        ...


@dataclass(frozen=True, slots=True)
class Number:
    """A finite number from `low` to `high`."""

    low: float = 0.0
    high: float = 1e12

    def read(self, value: object, place: Place) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
            raise PipelineRefusedError(place, f"must be a number, not {value!r}")
        if not self.low <= value <= self.high:
            raise PipelineRefusedError(place, f"must lie between {self.low:g} and {self.high:g}")
        return value


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number from `low` to `high`."""

    low: int = 0
    high: int = MANY

    def read(self, value: object, place: Place) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise PipelineRefusedError(place, f"must be a whole number, not {value!r}")
        if not self.low <= value <= self.high:
            raise PipelineRefusedError(place, f"must lie between {self.low} and {self.high}")
        return value


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false."""

    def read(self, value: object, place: Place) -> bool:
        if not isinstance(value, bool):
            raise PipelineRefusedError(place, f"must be true or false, not {value!r}")
        return value


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words."""

    options: tuple[str, ...]

    def read(self, value: object, place: Place) -> str:
        if not isinstance(value, str) or value not in self.options:
            raise PipelineRefusedError(place, f"must be one of {', '.join(self.options)}")
        return value


@dataclass(frozen=True, slots=True)
class Either:
    """What any of several would take: a word, or a number."""

    parameters: tuple[Parameter, ...]

    def read(self, value: object, place: Place) -> object:
        reasons = []
        for parameter in self.parameters:
            try:
                return parameter.read(value, place)
            except PipelineRefusedError as refused:
                reasons.append(refused.reason)
        raise PipelineRefusedError(place, ", or ".join(reasons))


@dataclass(frozen=True, slots=True)
class FeatureNames:
    """A list of names of features."""

    def read(self, value: object, place: Place) -> list[str]:
        if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
            raise PipelineRefusedError(place, "must be a list of names of features")
        return list(value)


@dataclass(frozen=True, slots=True)
class Part:
    """Another object: {class: ..., parameters: ...} of this role, or a number where River takes one
    too (a learning rate)."""

    role: Role
    or_number: Number | None = None
