"""How many predictions fell into each bin, pane by pane, lately and (more coarsely) long ago?

The newest panes are kept one by one. Older ones are joined to aligned blocks of 2^j panes, j =
floor(log2(age / recent)) + 1, as soon as the whole block is that old: so a few dozen stretches
reach back over any time, and what they are depends on the panes alone, not on when they were added.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from driftline.core.drift.counts import Counts


class Stretch(NamedTuple):
    """From its first to its last filled pane: its predictions, and their counts end to end."""

    first: int
    last: int
    n: int
    counts: Counts

    def joined(self, later: Stretch) -> Stretch:
        """Both as one."""
        return Stretch(self.first, later.last, self.n + later.n, self.counts + later.counts)


@dataclass(slots=True)
class PaneHistory:
    """The closed panes of one model; `recent` of them are kept one by one."""

    recent: int = 16
    _stretches: list[Stretch] = field(default_factory=list)

    def add(self, pane: int, n: int, counts: Counts) -> None:
        """A pane closed, later than all before. The counts are kept: write them no more."""
        kept: list[Stretch] = []
        for stretch in [*self._stretches, Stretch(pane, pane, n, counts)]:
            grown = stretch
            while kept and self._is_one(kept[-1], grown, pane + 1):
                grown = kept.pop().joined(grown)
            kept.append(grown)
        self._stretches = kept

    def _is_one(self, left: Stretch, right: Stretch, end: int) -> bool:
        level = (left.first ^ right.last).bit_length()
        age = end - (((right.last >> level) + 1) << level)
        return age >= self.recent << (level - 1)

    def within(self, first: int, end: int) -> list[Stretch]:
        """The stretches that lie wholly in panes [first, end)."""
        return [s for s in self._stretches if first <= s.first and s.last < end]

    def drop(self, below: int) -> None:
        """Let go of what lies wholly below a pane."""
        self._stretches = [s for s in self._stretches if s.last >= below]

    def snapshot(self) -> list[Any]:
        """The state as JSON types."""
        return [[s.first, s.last, s.n, s.counts.tolist()] for s in self._stretches]

    @classmethod
    def restore(cls, snapshot: Sequence[Any], recent: int = 16) -> PaneHistory:
        """The state that `snapshot` gave."""
        rows = [Stretch(a, b, n, np.array(c, np.int64)) for a, b, n, c in snapshot]
        return cls(recent, rows)
