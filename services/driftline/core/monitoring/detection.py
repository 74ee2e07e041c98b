"""Which predictions make up the next block to be judged?

A prediction counts in the pane of its event time, or, if that is closed, in the first open one:
nothing is lost, and no closed block changes. What a block needs to be reported with rides along:
how many predictions each version made, as counts of a single bin under a name that no feature has,
and the journal offset at which its first pane began.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Self

import numpy as np

from driftline.core.drift.blocks import Blocks, JudgedBlock
from driftline.core.drift.counts import BlockCounts, Counts, merged
from driftline.core.monitoring.segment_deltas import Delta

VERSION: Final = "\0version "


@dataclass(slots=True)
class OpenPane:
    """A pane that still grows; `first_offset` is the journal record that began it."""

    first_offset: int
    n: int = 0
    counts: BlockCounts = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReadyBlock:
    """A block to judge; `model_version` made most of its predictions."""

    block: JudgedBlock
    model_version: str
    first_offset: int

    @property
    def end(self) -> int:
        """The first pane after it."""
        return self.block.start_index + self.block.panes


class ClosedPane(NamedTuple):
    """A pane that grows no more (an empty one if `n` is 0), and the blocks to judge as it closes,
    in the order of `Blocks.close`."""

    pane: int
    n: int
    counts: BlockCounts
    ready: list[ReadyBlock]


@dataclass(slots=True)
class Detection:
    """The open panes and blocks of one model."""

    _open: dict[int, OpenPane] = field(default_factory=dict)
    _blocks: Blocks = field(default_factory=Blocks)
    _began: dict[int, int] = field(default_factory=dict)  # first offset, by first pane of a block

    def add(self, pane: int, delta: Delta, offset: int) -> None:
        """Count a delta in an open pane. Raises ValueError if bins of other sizes counted it."""
        into = self._open.setdefault(pane, OpenPane(offset))
        version = {VERSION + delta.model_version: np.array([delta.n], np.int64)}
        into.counts = merged(into.counts, {**delta.counts, **version})
        into.n += delta.n

    def close(self, below: int) -> list[ClosedPane]:
        """Close all panes below: those that hold predictions, in order, then the empty rest."""
        closed: list[ClosedPane] = []
        for index in sorted(index for index in self._open if index < below):
            pane = self._open.pop(index)
            self._began[index] = pane.first_offset
            closed.append(self._close(index, pane.n, pane.counts))
        if below > self._blocks.next_pane:
            closed.append(self._close(below - 1, 0, {}))
        waiting = set(self._blocks.first_panes)
        self._began = {i: offset for i, offset in self._began.items() if i in waiting}
        return closed

    def _close(self, index: int, n: int, counts: BlockCounts) -> ClosedPane:
        ready = [self._ready(block) for block in self._blocks.close(index, n, counts)]
        return ClosedPane(index, n, counts, ready)

    @property
    def next_pane(self) -> int:
        """Panes below are closed."""
        return self._blocks.next_pane

    @property
    def earliest(self) -> int | None:
        """The first pane that a block to come may still hold."""
        return min([*self._open, *self._blocks.first_panes], default=None)

    def _ready(self, block: JudgedBlock) -> ReadyBlock:
        first = min(index for index in self._began if index >= block.start_index)
        return ReadyBlock(block, _main_version(block.counts), self._began[first])

    def snapshot(self) -> dict[str, Any]:
        """The state as JSON types."""
        return {
            "open": [
                [index, pane.first_offset, pane.n, _lists(pane.counts)]
                for index, pane in self._open.items()
            ],
            "blocks": self._blocks.snapshot(),
            "began": list(self._began.items()),
        }

    @classmethod
    def restore(cls, snapshot: Mapping[str, Any]) -> Self:
        """The state that `snapshot` gave."""
        return cls(
            {i: OpenPane(first, n, _arrays(counts)) for i, first, n, counts in snapshot["open"]},
            Blocks.restore(snapshot["blocks"]),
            dict(snapshot["began"]),
        )


def _main_version(counts: Mapping[str, Counts]) -> str:
    """The version with the most predictions; of equal ones the first by name."""
    n = {name[len(VERSION) :]: int(c[0]) for name, c in counts.items() if name.startswith(VERSION)}
    return min(n, key=lambda version: (-n[version], version))


def _lists(counts: Mapping[str, Counts]) -> dict[str, list[int]]:
    return {name: values.tolist() for name, values in counts.items()}


def _arrays(lists: Mapping[str, list[int]]) -> BlockCounts:
    return {name: np.array(values, np.int64) for name, values in lists.items()}
