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

import orjson

from driftline.core.drift.blocks import HIGHEST_LEVEL, JudgedBlock
from driftline.core.monitoring.figures import performance_verdict
from driftline.core.monitoring.months import Month
from driftline.core.monitoring.pane_tallies import PaneTallies
from driftline.core.monitoring.tallies import Output, by_version, main_version, total
from driftline_schemas.fields import EPOCH
from driftline_schemas.spec import ModelSpec
from driftline_schemas.verdicts import Verdict

MONTHS_KEPT: Final = 240  # history may be replayed into any of them
Block = tuple[int, int]  # first pane, number of panes


@dataclass(slots=True)
class Performance:
    """What is known of one model's predictions and labels. Panes are `pane_ms` long."""

    pane_ms: int
    _from: int = 0  # panes below are no longer kept
    _panes: PaneTallies = field(default_factory=PaneTallies)
    _months: dict[int, Month] = field(default_factory=dict)  # by start (ms)
    _blocks: dict[Block, list[int]] = field(default_factory=dict)  # targets judged for
    _changed_panes: set[int] = field(default_factory=set)
    _changed_months: set[int] = field(default_factory=set)
    _changed_blocks: set[Block] = field(default_factory=set)
    _written_blocks: orjson.Fragment | None = None  # as they are

    def predicted(self, pane: int, version: str, n: int, at: int) -> None:
        """Predictions of a pane became known."""
        self._month(pane).predicted(version, n, at)
        if self._keeps(pane):
            self._panes.predicted(pane, version, n, at)

    def labelled(self, pane: int, version: str, prediction: Output, label: Output, at: int) -> None:
        """A prediction of a pane got its label."""
        self._month(pane).labelled(version, prediction, label, at)
        if self._keeps(pane):
            self._panes.labelled(pane, version, prediction, label, at)

    def corrected(
        self, pane: int, version: str, prediction: Output, labels: tuple[Output, Output], at: int
    ) -> None:
        """The label of a prediction changed; `labels` are the previous and the new one."""
        start = month_start(pane * self.pane_ms)
        month = self._months.get(start)
        if month is not None and month.corrected(version, prediction, labels, at):
            self._changed_months.add(start)
        if self._panes.corrected(pane, version, prediction, labels, at):
            self._changed_panes.add(pane)

    def _month(self, pane: int) -> Month:
        """The one that holds a pane; it is marked as changed."""
        start = month_start(pane * self.pane_ms)
        self._changed_months.add(start)
        month = self._months.get(start)
        if month is None:
            month = self._months[start] = Month()
        return month

    def _keeps(self, pane: int) -> bool:
        """Whether panes are kept so far back; then it is marked as changed."""
        if pane < self._from:
            return False
        self._changed_panes.add(pane)
        return True

    def judged(self, block: JudgedBlock) -> None:
        """A block was judged: from now on it is a window."""
        window = (block.start_index, block.panes)
        self._blocks.setdefault(window, []).append(block.target)
        self._changed_blocks.add(window)
        self._written_blocks = None

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
        versions = by_version(self._panes.within(first, first + panes))
        if not versions:  # all that the block counted was late, so it belongs to other panes
            return []
        start, end = first * self.pane_ms, (first + panes) * self.pane_ms
        sums = total(versions.values())
        main = main_version({v: (t.predicted, t.labelled) for v, t in versions.items()})
        return [
            performance_verdict(spec, target, start, end, sums, main)
            for target in self._blocks[window]
        ]

    def _month_verdict(self, spec: ModelSpec, start: int) -> Verdict:
        month, end = self._months[start], month_end(start)
        return performance_verdict(spec, "month", start, end, month.sums, month.main_version)

    def drop(self, horizon: int, needed: int | None) -> None:
        """No label comes any more for panes below `horizon`: let go of windows that end there, and
        of panes that no window, and no block to come (from pane `needed` on), still holds."""
        ended = [window for window in self._blocks if sum(window) <= horizon]
        for window in ended:
            del self._blocks[window]
            self._written_blocks = None
        self._changed_blocks.difference_update(ended)
        bounds = [horizon, *(first for first, _ in self._blocks)]
        self._from = max(self._from, min(bounds if needed is None else [*bounds, needed]))
        self._panes.drop(self._from)
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
        months = self._months.values()
        return self._panes.is_empty and all(month.sums.changed_at < since for month in months)

    def coverage(self) -> float | None:
        """The labelled share of the predictions that may still get labels; None without any."""
        if self._panes.is_empty:
            return None
        return self._panes.labels / max(self._panes.predictions, self._panes.labels)

    def snapshot(self) -> dict[str, Any]:
        """The state, for orjson."""
        return {
            "from": self._from,
            "panes": self._panes.snapshot(),
            "months": [[start, month.snapshot()] for start, month in self._months.items()],
            "blocks": self._block_rows(),
            "changed_panes": sorted(self._changed_panes),
            "changed_months": sorted(self._changed_months),
            "changed_blocks": sorted(self._changed_blocks),
        }

    def _block_rows(self) -> orjson.Fragment:
        if self._written_blocks is None:
            rows = [[*window, targets] for window, targets in self._blocks.items()]
            self._written_blocks = orjson.Fragment(orjson.dumps(rows))
        return self._written_blocks

    @classmethod
    def restore(cls, pane_ms: int, snapshot: Mapping[str, Any]) -> Self:
        """The state that `snapshot` gave."""
        return cls(
            pane_ms,
            snapshot["from"],
            PaneTallies.restore(snapshot["panes"]),
            {start: Month.restore(month) for start, month in snapshot["months"]},
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
