"""How often each bin was met: per pane, within one segment of an input partition.

A segment is 1,000 offsets. Its counts are sent again and again while it is open, cumulatively, and
only what changed; a reader keeps the record with the highest n. So neither a replay nor a frozen
worker that wakes can double or lose a prediction.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, Final, NamedTuple

import numpy as np

from driftline.core.drift.bins import FeatureBins
from driftline.core.joining.envelope import PredictionEvent

SEGMENT_OFFSETS: Final = 1_000
FUTURE_MS: Final = 300_000
FEW: Final = 24  # below so many records, value by value is cheaper than by column
Vector = np.ndarray[tuple[int], np.dtype[np.int64]]


@dataclass(frozen=True, slots=True)
class ModelBins:
    """The bins of a model that are in force from an append time (ms) on."""

    bins_id: str
    effective_from: int
    features: dict[str, FeatureBins]
    prediction: FeatureBins | None = None


class Seen(NamedTuple):
    """A first prediction to count: its offset, append time (ms) and event."""

    offset: int
    time: int
    event: PredictionEvent


class PaneKey(NamedTuple):
    """What one counts record is about; `pane` is its start in ms."""

    model: str
    model_version: str
    pane: int
    bins_id: str | None


@dataclass(slots=True)
class Tally:
    """Counts of one pane in one segment; `sent` is the n that was last sent."""

    n: int = 0
    skewed: int = 0
    counts: dict[str, Vector] = field(default_factory=dict)
    prediction: Vector | None = None
    sent: int = 0


BinsOf = Callable[[str, int], ModelBins | None]  # (model, append time) -> bins in force
Send = Callable[[PaneKey, int, Tally], None]  # (key, segment, tally)


@dataclass(slots=True)
class SegmentCounts:
    """Counts of the open segment of one partition.

    bins_of: the bins of a model at an append time; send: writes one cumulative record.
    """

    pane_ms: int
    horizon_ms: int
    bins_of: BinsOf
    send: Send
    segment: int = -1
    tallies: dict[PaneKey, Tally] = field(default_factory=dict)
    skewed_by: Callable[[str], None] = lambda _producer: None

    def add(self, seen: Sequence[Seen]) -> None:
        """Count first predictions, in offset order; closes the segment that they leave."""
        start = 0
        while start < len(seen):
            segment = seen[start].offset // SEGMENT_OFFSETS
            end = start + 1
            while end < len(seen) and seen[end].offset // SEGMENT_OFFSETS == segment:
                end += 1
            self.enter(segment)
            self._add_to_open(seen[start:end])
            start = end

    def enter(self, segment: int) -> None:
        """Go on to a segment; what the former one has not sent yet goes first."""
        if segment == self.segment:
            return
        self.flush()
        self.tallies.clear()
        self.segment = segment

    def flush(self) -> None:
        """Send what changed since it was last sent."""
        for key, tally in self.tallies.items():
            if tally.n != tally.sent:
                tally.sent = tally.n
                self.send(key, self.segment, tally)

    def resend(self) -> None:
        """A rebuild has come to what was written before: send the open segment as a whole again."""
        for tally in self.tallies.values():
            tally.sent = 0

    def _add_to_open(self, seen: Sequence[Seen]) -> None:
        groups: dict[PaneKey, list[PredictionEvent]] = {}
        bins: dict[PaneKey, ModelBins | None] = {}
        in_force, looked_up = None, ("", -1)
        for _, time, event in seen:
            if looked_up != (event.model, time):  # the broker stamps whole batches with one time
                looked_up = (event.model, time)
                in_force = self.bins_of(*looked_up)
            pane, is_skewed = self._pane(event, time)
            bins_id = in_force.bins_id if in_force else None
            key = PaneKey(event.model, event.model_version, pane, bins_id)
            groups.setdefault(key, []).append(event)
            bins[key] = in_force
            if is_skewed:
                self.tallies.setdefault(key, Tally()).skewed += 1
                self.skewed_by(event.producer)
        for key, events in groups.items():
            tally = self.tallies.setdefault(key, Tally())
            tally.n += len(events)
            if (in_force := bins[key]) is not None:
                _count(tally, in_force, events)

    def _pane(self, event: PredictionEvent, time: int) -> tuple[int, bool]:
        """The pane of a prediction (start, ms), and whether its own clock is not to be believed."""
        at, skewed = event.predicted_at, False
        if at > time + FUTURE_MS:
            at, skewed = time, True
        elif at < time - self.horizon_ms:
            skewed = True  # history is replayed that way: it keeps its pane
        return at - at % self.pane_ms, skewed


def _count(tally: Tally, bins: ModelBins, events: Sequence[PredictionEvent]) -> None:
    odd = [i for i, event in enumerate(events) if event.nonfinite]
    columns = _columns(list(bins.features), [event.features for event in events])
    for (name, feature), column in zip(bins.features.items(), columns, strict=True):
        invalid = [i for i in odd if name in events[i].nonfinite]
        _add(tally.counts, name, feature, column, invalid)
    if bins.prediction is not None:
        found = {"": tally.prediction} if tally.prediction is not None else {}
        _add(found, "", bins.prediction, [event.prediction for event in events], [])
        tally.prediction = found[""]


def _columns(names: Sequence[str], rows: Sequence[dict[str, Any]]) -> Iterable[Sequence[Any]]:
    """The values of each name; what a row lacks is None."""
    if len(names) > 1:  # of one name, itemgetter gives no row
        try:
            return zip(*map(itemgetter(*names), rows), strict=True)  # half the time of the others
        except KeyError:
            pass
    return [[row.get(name) for row in rows] for name in names]


def _add(
    counts: dict[str, Vector],
    name: str,
    bins: FeatureBins,
    column: Sequence[Any],
    invalid: list[int],
) -> None:
    vector = counts.get(name)
    if vector is None:
        vector = counts[name] = np.zeros(bins.size, np.int64)
    if len(column) >= FEW or invalid:
        vector += bins.count(column, invalid)
    else:
        for value in column:
            vector[bins.index(value)] += 1


def dump(counts: SegmentCounts) -> list[Any]:
    """JSON-able form of the open segment."""
    return [
        counts.segment,
        [
            [*key, t.n, t.skewed, t.sent, {k: v.tolist() for k, v in t.counts.items()},
             None if t.prediction is None else t.prediction.tolist()]
            for key, t in counts.tallies.items()
        ],
    ]  # fmt: skip


def load(counts: SegmentCounts, dumped: Iterable[Any]) -> None:
    """Take back what `dump` gave."""
    counts.segment, tallies = dumped
    for model, version, pane, bins_id, n, skewed, sent, vectors, prediction in tallies:
        counts.tallies[PaneKey(model, version, pane, bins_id)] = Tally(
            n, skewed, {name: np.array(v, np.int64) for name, v in vectors.items()},
            None if prediction is None else np.array(prediction, np.int64), sent,
        )  # fmt: skip
