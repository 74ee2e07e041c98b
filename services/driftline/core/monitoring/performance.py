"""How well did the model do, by the time of its predictions, as far as labels have come?

Each judged block and each UTC month is a window. A label, a correction or late counts change the
windows that hold its pane, and each of these gets a new revision the next time `revisions` is
called. A revision's number is a sum that rises with every change, and its time that of the last
change, so whenever a fold of the journal is asked, the same revision says the same.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from typing import Any, Final, Self

from driftline.core.drift.blocks import HIGHEST_LEVEL, JudgedBlock
from driftline.core.monitoring.figures import performance_verdict
from driftline.core.monitoring.tallies import Output, Tally, Versions, by_version
from driftline_schemas.fields import EPOCH
from driftline_schemas.spec import ModelSpec
from driftline_schemas.verdicts import Verdict

MONTHS_KEPT: Final = 240  # history may be replayed into any of them
Block = tuple[int, int]  # first pane, number of panes
_Place = tuple[dict[int, Versions], set[int], int]  # tallies, which of them changed, a key


@dataclass(slots=True)
class Performance:
    """What is known of one model's predictions and labels. Panes are `pane_ms` long."""

    pane_ms: int
    _from: int = 0  # panes below are no longer kept
    _panes: dict[int, Versions] = field(default_factory=dict)
    _months: dict[int, Versions] = field(default_factory=dict)  # by start (ms)
    _blocks: dict[Block, list[int]] = field(default_factory=dict)  # targets judged for
    _changed_panes: set[int] = field(default_factory=set)
    _changed_months: set[int] = field(default_factory=set)
    _changed_blocks: set[Block] = field(default_factory=set)

    def predicted(self, pane: int, version: str, n: int, at: int) -> None:
        """Predictions of a pane became known."""
        for tally in self._changed(pane, version, at):
            tally.predicted += n

    def labelled(self, pane: int, version: str, prediction: Output, label: Output, at: int) -> None:
        """A prediction of a pane got its label."""
        for tally in self._changed(pane, version, at):
            tally.label(prediction, label)

    def corrected(
        self, pane: int, version: str, prediction: Output, labels: tuple[Output, Output], at: int
    ) -> None:
        """The label of a prediction changed; `labels` are the previous and the new one."""
        for tallies, changed, key in self._places(pane):
            tally = tallies.get(key, {}).get(version)
            if tally is not None and tally.labelled:  # else what it corrects is no longer kept
                tally.correct(prediction, *labels)
                tally.changed_at = max(tally.changed_at, at)
                changed.add(key)

    def _changed(self, pane: int, version: str, at: int) -> list[Tally]:
        """The tallies that hold a pane; they are marked as changed."""
        return [_changed_tally(place, version, at) for place in self._places(pane)]

    def _places(self, pane: int) -> tuple[_Place, ...]:
        """Where a pane is kept."""
        month = self._months, self._changed_months, month_start(pane * self.pane_ms)
        if pane < self._from:
            return (month,)
        return month, (self._panes, self._changed_panes, pane)

    def judged(self, block: JudgedBlock) -> None:
        """A block was judged: from now on it is a window."""
        window = (block.start_index, block.panes)
        self._blocks.setdefault(window, []).append(block.target)
        self._changed_blocks.add(window)

    def revisions(self, spec: ModelSpec) -> list[Verdict]:
        """The windows that changed since the last call, blocks before months, the oldest first."""
        verdicts = [
            verdict
            for window in sorted(self._changed_blocks | self._holding(self._changed_panes))
            for verdict in self._block_verdicts(spec, window)
        ]
        verdicts += [self._month_verdict(spec, month) for month in sorted(self._changed_months)]
        self.forget_changes()
        return verdicts

    def forget_changes(self) -> None:
        """What changed so far gives no revision."""
        self._changed_panes.clear()
        self._changed_months.clear()
        self._changed_blocks.clear()

    def _holding(self, panes: Iterable[int]) -> set[Block]:
        windows = {
            (pane >> level << level, 1 << level)
            for pane in panes
            for level in range(HIGHEST_LEVEL + 1)
        }
        return windows & self._blocks.keys()

    def _block_verdicts(self, spec: ModelSpec, window: Block) -> list[Verdict]:
        first, panes = window
        held = range(first, first + panes)
        if panes > len(self._panes):
            found: Iterable[int] = sorted(pane for pane in self._panes if pane in held)
        else:
            found = (pane for pane in held if pane in self._panes)
        versions = by_version(self._panes[pane] for pane in found)
        if not versions:  # all that the block counted was late, so it belongs to other panes
            return []
        start, end = first * self.pane_ms, (first + panes) * self.pane_ms
        return [
            performance_verdict(spec, target, start, end, versions)
            for target in self._blocks[window]
        ]

    def _month_verdict(self, spec: ModelSpec, start: int) -> Verdict:
        return performance_verdict(spec, "month", start, month_end(start), self._months[start])

    def drop(self, horizon: int, needed: int | None) -> None:
        """No label comes any more for panes below `horizon`: let go of windows that end there, and
        of panes that no window, and no block to come (from pane `needed` on), still holds."""
        ended = [window for window in self._blocks if sum(window) <= horizon]
        for window in ended:
            del self._blocks[window]
        self._changed_blocks.difference_update(ended)
        bounds = [horizon, *(first for first, _ in self._blocks)]
        self._from = max(self._from, min(bounds if needed is None else [*bounds, needed]))
        self._panes = {pane: v for pane, v in self._panes.items() if pane >= self._from}
        self._changed_panes = {pane for pane in self._changed_panes if pane >= self._from}
        for month in sorted(self._months)[:-MONTHS_KEPT]:
            del self._months[month]
            self._changed_months.discard(month)

    def outlives(self, horizon: int) -> bool:
        """Whether `drop` would let go of something that still has a revision to come."""
        windows = self._changed_blocks | self._holding(self._changed_panes)
        return any(sum(window) <= horizon for window in windows)

    def is_idle(self, since: int) -> bool:
        """Whether no pane is kept and nothing changed after that time (ms)."""
        months = [tally for versions in self._months.values() for tally in versions.values()]
        return not self._panes and all(tally.changed_at < since for tally in months)

    def coverage(self) -> float | None:
        """The labelled share of the predictions that may still get labels; None without any."""
        tallies = [tally for versions in self._panes.values() for tally in versions.values()]
        predicted, labelled = sum(t.predicted for t in tallies), sum(t.labelled for t in tallies)
        return labelled / max(predicted, labelled) if tallies else None

    def snapshot(self) -> dict[str, Any]:
        """The state as JSON types."""
        return {
            "from": self._from,
            "panes": _rows(self._panes),
            "months": _rows(self._months),
            "blocks": [[*window, targets] for window, targets in self._blocks.items()],
            "changed_panes": sorted(self._changed_panes),
            "changed_months": sorted(self._changed_months),
            "changed_blocks": sorted(self._changed_blocks),
        }

    @classmethod
    def restore(cls, pane_ms: int, snapshot: Mapping[str, Any]) -> Self:
        """The state that `snapshot` gave."""
        return cls(
            pane_ms,
            snapshot["from"],
            _versions(snapshot["panes"]),
            _versions(snapshot["months"]),
            {(first, panes): list(targets) for first, panes, targets in snapshot["blocks"]},
            set(snapshot["changed_panes"]),
            set(snapshot["changed_months"]),
            {(first, panes) for first, panes in snapshot["changed_blocks"]},
        )


@lru_cache(maxsize=4_096)  # labels come for few panes at a time
def month_start(millis: int) -> int:
    """Start (ms) of the UTC month that holds a time."""
    moment = EPOCH + timedelta(milliseconds=millis)
    first = moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (first - EPOCH) // timedelta(milliseconds=1)


def month_end(start: int) -> int:
    """End (ms) of the UTC month that begins at `start`."""
    return month_start(start + 32 * 86_400_000)


def _changed_tally(place: _Place, version: str, at: int) -> Tally:
    tallies, changed, key = place
    changed.add(key)
    versions = tallies.get(key)
    if versions is None:
        versions = tallies[key] = {}
    tally = versions.get(version)
    if tally is None:
        tally = versions[version] = Tally()
    if at > tally.changed_at:
        tally.changed_at = at
    return tally


def _rows(tallies: Mapping[int, Versions]) -> list[list[Any]]:
    return [[key, {v: tally.row() for v, tally in vs.items()}] for key, vs in tallies.items()]


def _versions(rows: Iterable[list[Any]]) -> dict[int, Versions]:
    return {key: {v: Tally(*row) for v, row in versions.items()} for key, versions in rows}
