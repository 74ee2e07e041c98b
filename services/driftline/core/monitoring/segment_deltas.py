"""What does a counts record add to what is known already?

The joiner sends the counts of a segment (1,000 offsets of an input partition) again and again,
cumulatively. The record with the highest n holds all that the others hold, so each is taken as its
difference from the highest before it. A partition's segments follow one another: once one has
begun, all of the lower ones has been said, and whoever says it again is a replay.
"""

from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, NamedTuple, Self

import numpy as np

from driftline.core.drift.counts import BlockCounts, Counts
from driftline_schemas import journal
from driftline_schemas.spec import PREDICTION_SCOPE

Layout = tuple[tuple[str, int], ...]  # scopes, and the number of bins of each


class Delta(NamedTuple):
    """Predictions that were not known yet; `pane` is its start (ms), `counts` are by scope."""

    model_version: str
    pane: int
    bins_id: str | None
    n: int
    counts: BlockCounts


class _Key(NamedTuple):
    model_version: str
    pane: int
    bins_id: str | None


class _Highest(NamedTuple):
    """The record with the highest n, its vectors end to end and packed."""

    n: int
    layout: Layout
    packed: Counts


@dataclass(slots=True)
class _Segment:
    """The newest segment of an input partition."""

    number: int
    highest: dict[_Key, _Highest] = field(default_factory=dict)


@dataclass(slots=True)
class SegmentDeltas:
    """The newest segments of one model: at most 1,000 predictions per input partition."""

    _segments: dict[int, _Segment] = field(default_factory=dict)
    _layouts: dict[Layout, Layout] = field(default_factory=dict)  # one object for equal ones

    def take(self, record: journal.Counts) -> Delta | None:
        """The difference, or None for a record that says nothing new.

        Raises ValueError for counts below zero, or of other scopes and bins than before.
        """
        segment = self._segments.get(record.partition)
        if segment is None or record.segment > segment.number:
            segment = self._segments[record.partition] = _Segment(record.segment)
        elif record.segment < segment.number:
            return None
        key = _Key(record.model_version, record.pane, record.bins_id)
        known = segment.highest.get(key)
        n = known.n if known else 0
        if record.n <= n:
            return None
        layout, vector = self._vector(record)
        difference = vector - _unpacked(known, layout) if known else vector
        segment.highest[key] = _Highest(record.n, layout, _packed(vector))
        return Delta(*key, record.n - n, _by_scope(layout, difference))

    def _vector(self, record: journal.Counts) -> tuple[Layout, Counts]:
        counts = dict(record.counts)
        if record.prediction_counts is not None:
            counts[PREDICTION_SCOPE] = record.prediction_counts
        layout = tuple((scope, len(counts[scope])) for scope in sorted(counts))
        flat = [count for scope in sorted(counts) for count in counts[scope]]
        return self._layouts.setdefault(layout, layout), np.array(flat, np.int64)

    def snapshot(self) -> dict[str, Any]:
        """The state as JSON types."""
        tops = [top for segment in self._segments.values() for top in segment.highest.values()]
        places = {layout: i for i, layout in enumerate(dict.fromkeys(top.layout for top in tops))}
        return {
            "layouts": list(places),
            "segments": [
                [
                    partition,
                    segment.number,
                    [
                        [*key, top.n, places[top.layout], top.packed.tolist()]
                        for key, top in segment.highest.items()
                    ],
                ]
                for partition, segment in self._segments.items()
            ],
        }

    @classmethod
    def restore(cls, snapshot: dict[str, Any]) -> Self:
        """The state that `snapshot` gave."""
        layouts = [tuple((scope, size) for scope, size in row) for row in snapshot["layouts"]]
        segments = {
            partition: _Segment(
                number,
                {
                    _Key(*key): _Highest(n, layouts[place], np.array(packed, np.int64))
                    for *key, n, place, packed in rows
                },
            )
            for partition, number, rows in snapshot["segments"]
        }
        return cls(segments, {layout: layout for layout in layouts})


def _packed(vector: Counts) -> Counts:
    """A run of L zeros as -L, those at the end left out: a quiet model's panes hold one prediction
    each, and there may be thousands of them."""
    if (vector < 0).any():
        raise ValueError("a count lies below zero")
    filled = np.flatnonzero(vector)
    zeros = np.diff(filled, prepend=-1) - 1
    runs: Counts = np.stack([-zeros, vector[filled]], axis=1).ravel()
    kept: Counts = runs[runs != 0]
    return kept


def _unpacked(highest: _Highest, layout: Layout) -> Counts:
    if highest.layout != layout:
        raise ValueError("the same bins counted other scopes before")
    runs = highest.packed
    vector = np.zeros(sum(size for _, size in layout), np.int64)
    places = np.cumsum(np.where(runs < 0, -runs, 1)) - 1
    vector[places[runs > 0]] = runs[runs > 0]
    return vector


def _by_scope(layout: Layout, vector: Counts) -> BlockCounts:
    ends = accumulate(size for _, size in layout)
    return {
        scope: vector[end - size : end] for (scope, size), end in zip(layout, ends, strict=True)
    }
