"""How is the verdict of a gate told to people?"""

from collections.abc import Mapping
from math import isfinite
from typing import Final, Protocol

VERDICTS: Final[Mapping[str, str]] = {
    "promote": "proven better",
    "reject": "not better by enough",
    "continue": "undecided",
    "no_data": "not enough pairs yet",
}


class Standing(Protocol):
    """Where the evidence on a challenger stands; without bounds before there are enough pairs."""

    @property
    def n(self) -> int: ...
    @property
    def test(self) -> int: ...
    @property
    def mean(self) -> float: ...
    @property
    def lower(self) -> float | None: ...
    @property
    def upper(self) -> float | None: ...


class Wanted(Protocol):
    """What a specification asks of a challenger."""

    @property
    def least_gain(self) -> float: ...
    @property
    def min_pairs(self) -> int: ...


def gain(value: float) -> str:
    """`+0.021`: always with its sign; a dash for what is no number."""
    return f"{value:+.3f}" if isfinite(value) else "–"  # noqa: RUF001 - as in the page's tables


def standing_said(standing: Standing, wanted: Wanted) -> str:
    """What it has shown, and what is missing: one or two sentences."""
    if standing.lower is None or standing.upper is None:
        so_far = f"{standing.n:,} of {wanted.min_pairs:,} pairs so far"
        return f"{so_far}, gain {gain(standing.mean)}."
    shown = (
        f"Gain {gain(standing.mean)}, between {gain(standing.lower)} and"
        f" {gain(standing.upper)}, on {standing.n:,} pairs (test {standing.test})."
    )
    missing = []
    if standing.mean < wanted.least_gain:
        missing.append(f"the gain is below {wanted.least_gain:g}")
    if standing.lower <= 0:
        missing.append("it may still be no gain at all")
    if not missing:
        return shown
    said = " and ".join(missing)
    return f"{shown} {said[:1].upper()}{said[1:]}."
