"""Which blocks of closed panes are large enough to be judged, and for which target?

A block of level k spans 2^k panes and is aligned to the epoch: block i covers panes
[i 2^k, (i+1) 2^k). It closes with its last pane. It is judged for a target if it holds at least
that many predictions and no block inside it was judged for that target. So quiet and busy models
both get windows of about the wanted size, and the same panes always make the same windows.

Only blocks that matter are kept. A block with one filled half has the counts of that half, so it
is never judged before it; hence just the pane itself, and each block that joins two filled halves,
is looked at. The open halves form a stack whose joining levels fall towards the top: at most
one for each level, however long the gaps between panes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from driftline.core.drift.budget import TARGETS
from driftline.core.drift.counts import BlockCounts, Counts, merged

HIGHEST_LEVEL: Final = 20  # 2^20 panes of a minute are two years


@dataclass(frozen=True, slots=True)
class JudgedBlock:
    """A block to judge: panes [start_index, start_index + panes), for one target.

    Its arrays are those of the open blocks: read them, never write.
    """

    start_index: int
    panes: int
    target: int
    n: int
    counts: BlockCounts


@dataclass(frozen=True, slots=True)
class _Half:
    """A closed block that waits for the rest of a larger one; `pane` is its first filled pane.

    `judged` are the targets that it, or a block inside it, was judged for. With all of them its
    counts are of no further use and are let go.
    """

    pane: int
    n: int
    counts: BlockCounts
    judged: frozenset[int] = frozenset()


@dataclass(slots=True)
class Blocks:
    """The open blocks of one model."""

    targets: Sequence[int] = TARGETS
    _next: int = 0  # panes below are closed
    _halves: list[_Half] = field(default_factory=list)

    @property
    def next_pane(self) -> int:
        """Panes below are closed."""
        return self._next

    @property
    def first_panes(self) -> list[int]:
        """The first filled pane of each open block that may still become part of a judged one."""
        panes: list[int] = []
        for half in reversed(self._halves):
            if half.judged.issuperset(self.targets):
                break  # whatever holds it is judged no more, and so is what lies before it
            panes.append(half.pane)
        return panes[::-1]

    def close(self, pane_index: int, n: int, counts: Mapping[str, Counts]) -> list[JudgedBlock]:
        """Close a pane, and all empty ones since the last. A pane closes once, in rising order.

        Returns the blocks to judge, those that close earlier first, small before large, and of one
        block the largest target first. Raises ValueError for a pane that is closed already.
        """
        if pane_index < self._next:
            raise ValueError(f"pane {pane_index} is closed already, the next is {self._next}")
        judged = self._join(pane_index)
        if n > 0:
            self._halves.append(self._judge(_Half(pane_index, n, merged(counts, {})), 0, judged))
        self._next = pane_index + 1
        return judged + self._join(self._next)

    def _join(self, end: int) -> list[JudgedBlock]:
        """Join the halves of every block that ends at or before pane `end`."""
        judged: list[JudgedBlock] = []
        while len(self._halves) > 1:
            left, right = self._halves[-2:]
            level = (left.pane ^ right.pane).bit_length()
            if level > HIGHEST_LEVEL:
                del self._halves[:-1]  # no block reaches back so far
            elif ((left.pane >> level) + 1) << level > end:
                break
            else:
                self._halves[-2:] = [self._judge(_joined(left, right), level, judged)]
        return judged

    def _judge(self, half: _Half, level: int, judged: list[JudgedBlock]) -> _Half:
        due = sorted({w for w in self.targets if half.n >= w} - half.judged, reverse=True)
        start = half.pane >> level << level
        judged += [JudgedBlock(start, 1 << level, w, half.n, half.counts) for w in due]
        return self._spent(replace(half, judged=half.judged.union(due)))

    def _spent(self, half: _Half) -> _Half:
        return replace(half, counts={}) if half.judged.issuperset(self.targets) else half

    def snapshot(self) -> dict[str, Any]:
        """The state as JSON types."""
        return {
            "next": self._next,
            "halves": [
                {
                    "pane": half.pane,
                    "n": half.n,
                    "judged": sorted(half.judged),
                    "counts": {name: counts.tolist() for name, counts in half.counts.items()},
                }
                for half in self._halves
            ],
        }

    @classmethod
    def restore(cls, snapshot: Mapping[str, Any], targets: Sequence[int] = TARGETS) -> Blocks:
        """The state that `snapshot` gave."""
        return cls(targets, snapshot["next"], [_restored(half) for half in snapshot["halves"]])


def _joined(left: _Half, right: _Half) -> _Half:
    counts = merged(left.counts, right.counts)
    return _Half(left.pane, left.n + right.n, counts, left.judged | right.judged)


def _restored(half: Mapping[str, Any]) -> _Half:
    counts = {name: np.array(values, np.int64) for name, values in half["counts"].items()}
    return _Half(half["pane"], half["n"], counts, frozenset(half["judged"]))
