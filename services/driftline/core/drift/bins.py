"""Into which of its reference's bins does a value of a feature fall?

A feature's counts are one int64 vector: the bins of the reference, then the values that fit
none of them (`new`, for categories), then missing and invalid as the last two places.
Values are what a JSON decoder gives: int, float, str, bool, None, list, dict. Two paths give
the same counts: `index` takes one value, `count` a column of a micro-batch (sort, then look
the edges up in it: 60 ns a value, where one by one they cost 400).
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from math import inf, isfinite, nextafter
from typing import Final

import numpy as np

from driftline.core.drift.counts import Counts

QUANTILES: Final = 20
TOP_CATEGORIES: Final = 20
MOST_CATEGORIES: Final = 1_000
LONGEST_CATEGORY: Final = 1_024  # bytes of UTF-8; a longer string is text, not a category


class Invalid:
    """Stands in a column for a value that its record lists under `nonfinite`."""

    def __repr__(self) -> str:
        return "INVALID"


INVALID: Final = Invalid()


@dataclass(frozen=True, slots=True)
class NumericBins:
    """Bins of a number: bin i holds edges[i-1] <= x < edges[i], the outer two are open.

    Counts: len(edges) + 1 bins, missing, invalid. `edges` are finite and strictly increasing.
    """

    edges: tuple[float, ...]

    def __post_init__(self) -> None:
        if not all(map(isfinite, self.edges)) or sorted(set(self.edges)) != list(self.edges):
            raise ValueError(f"edges must be finite and strictly increasing: {self.edges}")

    @property
    def size(self) -> int:
        return len(self.edges) + 3

    def index(self, value: object) -> int:
        if value is None:
            return self.size - 2
        number = _number(value)
        return self.size - 1 if number is None else bisect_right(self.edges, number)

    def count(self, values: Sequence[object], nonfinite: Collection[int] = ()) -> Counts:
        """Counts of a column; `nonfinite` are the positions of values to count as invalid."""
        values = _marked(values, nonfinite)
        array = _array(values)
        return _tally(self, values) if array is None else self._count_array(array, values)

    def _count_array(self, array: np.ndarray[tuple[int], np.dtype[np.float64]],
                     values: Sequence[object]) -> Counts:  # fmt: skip
        kept = array[np.isfinite(array)]
        kept.sort()
        counts = np.empty(self.size, np.int64)
        counts[:-3] = np.searchsorted(kept, self.edges, side="left")
        counts[-3] = kept.size
        counts[1:-2] -= counts[:-3].copy()  # from "how many lie below" to "how many lie within"
        counts[-2] = 0 if kept.size == array.size else values.count(None)
        counts[-1] = array.size - kept.size - counts[-2]
        return counts


@dataclass(frozen=True, slots=True)
class CategoricalBins:
    """Bins of a name. Counts: the top categories, other (listed), new, missing, invalid.

    `categories` are those of the reference, most frequent first; the first 20 have a bin of
    their own, so the vector stays short however many there are.
    """

    categories: tuple[str, ...]
    _places: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        places = {name: min(i, self._top) for i, name in enumerate(self.categories)}
        if len(places) < len(self.categories):
            raise ValueError("a category is listed twice")
        if len(places) > MOST_CATEGORIES or any(map(_too_long, places)):
            raise ValueError(f"over {MOST_CATEGORIES} categories, or one over 1 KiB")
        object.__setattr__(self, "_places", places)

    @property
    def _top(self) -> int:
        return min(TOP_CATEGORIES, len(self.categories))

    @property
    def size(self) -> int:
        return self._top + 4

    def index(self, value: object) -> int:
        if value is None:
            return self.size - 2
        if not isinstance(value, str):
            return self.size - 1
        place = self._places.get(value)
        if place is not None:
            return place
        return self.size - 1 if _too_long(value) else self._top + 1

    def count(self, values: Sequence[object], nonfinite: Collection[int] = ()) -> Counts:
        """Counts of a column; `nonfinite` are the positions of values to count as invalid."""
        values = _marked(values, nonfinite)
        if set(map(type, values)) <= {str, type(None)}:
            return _weighted_tally(self, Counter(values))
        return _tally(self, values)


@dataclass(frozen=True, slots=True)
class BooleanBins:
    """Bins of a truth value. Counts: false, true, missing, invalid."""

    @property
    def size(self) -> int:
        return 4

    def index(self, value: object) -> int:
        if isinstance(value, bool):
            return int(value)
        return 2 if value is None else 3

    def count(self, values: Sequence[object], nonfinite: Collection[int] = ()) -> Counts:
        """Counts of a column; `nonfinite` are the positions of values to count as invalid."""
        values = _marked(values, nonfinite)
        if set(map(type, values)) <= {bool, type(None)}:
            return _weighted_tally(self, Counter(values))
        return _tally(self, values)


FeatureBins = NumericBins | CategoricalBins | BooleanBins


def numeric_bins(values: Iterable[object]) -> NumericBins:
    """Twenty quantile bins of a reference; what is no finite number in it is left out.

    A value that takes several quantiles (a constant column takes all) gets a bin of its own, from
    itself to the next float: else whatever lies above it would share its bin and never be seen.
    """
    numbers = [number for number in map(_number, values) if number is not None]
    if not numbers:
        return NumericBins(())
    levels = np.arange(1, QUANTILES) / QUANTILES
    quantiles = Counter(np.quantile(numbers, levels, method="inverted_cdf").tolist())
    above = {nextafter(edge, inf) for edge, times in quantiles.items() if times > 1}
    return NumericBins(tuple(sorted(edge for edge in {*quantiles, *above} if isfinite(edge))))


def categorical_bins(values: Iterable[object]) -> CategoricalBins:
    """The categories of a reference, most frequent first, ties by name, at most 1,000."""
    frequency = Counter(v for v in values if isinstance(v, str) and not _too_long(v))
    ranked = sorted(frequency, key=lambda name: (-frequency[name], name))
    return CategoricalBins(tuple(ranked[:MOST_CATEGORIES]))


def _number(value: object) -> float | None:
    """A finite float, or None for what is no number, not finite, or wider than 64 bit."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return None
    number = float(value)
    return number if isfinite(number) else None


def _array(values: Sequence[object]) -> np.ndarray[tuple[int], np.dtype[np.float64]] | None:
    """A column as floats, missing as NaN; None where it must be taken value by value."""
    kinds = set(map(type, values))
    if not kinds <= {float, int, type(None)}:
        return None
    try:
        array = np.array(values, np.float64)
    except OverflowError:  # an integer beyond the largest float
        return None
    if int in kinds and (np.abs(array) >= 2.0**63).any():
        return None  # perhaps an integer wider than 64 bit, which as a float looks like any other
    return array


def _too_long(name: str) -> bool:
    # Four bytes a character at most, so that only long names are encoded to be measured.
    return len(name) > LONGEST_CATEGORY // 4 and (
        len(name.encode("utf-8", "surrogatepass")) > LONGEST_CATEGORY
    )


def _marked(values: Sequence[object], nonfinite: Collection[int]) -> Sequence[object]:
    if not nonfinite:
        return values
    marked = list(values)
    for position in nonfinite:
        marked[position] = INVALID
    return marked


def _tally(bins: FeatureBins, values: Iterable[object]) -> Counts:
    counts = [0] * bins.size
    for value in values:
        counts[bins.index(value)] += 1
    return np.array(counts, np.int64)


def _weighted_tally(bins: FeatureBins, values: Counter[object]) -> Counts:
    counts = np.zeros(bins.size, np.int64)
    for value, times in values.items():
        counts[bins.index(value)] += times
    return counts
