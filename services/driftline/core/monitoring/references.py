"""With which reference is a block compared, now that its counts may change?

With the one that was in force when its predictions were made: counts take over at a pane. Blocks
that end there or earlier are compared with those of before, blocks that begin there or later with
the new ones, and a block that holds panes of both sides with neither.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

import orjson

from driftline.core.monitoring.detection import ClosedPane, ReadyBlock
from driftline.core.monitoring.judgement import Reference
from driftline.core.monitoring.lineages import family
from driftline.core.monitoring.reference_counts import (
    Change,
    Counted,
    ReferenceCounts,
    from_row,
    row,
)
from driftline_schemas.control import BinsBody

THE_REFERENCE: Final = "the reference"


@dataclass(slots=True)
class References:
    """The reference of one model by one set of bins, and the one before it until all of its panes
    are closed."""

    bins: BinsBody
    _counts: ReferenceCounts
    _since: int = 0  # the pane at which the present counts took over
    _before: Counted | None = None
    _present: Reference = field(init=False)
    _former: Reference = field(init=False)
    _written: orjson.Fragment = field(init=False)  # the bins, which never change

    def __post_init__(self) -> None:
        self._written = orjson.Fragment(self.bins.model_dump_json())
        self._present, self._former = self._made(self._counts.in_force), self._made(self._before)

    @classmethod
    def of(cls, bins: BinsBody) -> Self:
        """That of a `bins` control record."""
        return cls(bins, ReferenceCounts.of(bins))

    def _made(self, counted: Counted | None) -> Reference:
        name = f"{counted.name} ({counted.n:,} predictions)" if counted else THE_REFERENCE
        return Reference.of(self.bins, name, self._counts.by_scope(counted))

    def hold(self, ready: ReadyBlock) -> bool:
        """Whether the block lies on one side of the last change."""
        return ready.block.start_index >= self._since or ready.end <= self._since

    def of_block(self, ready: ReadyBlock) -> Reference:
        """What a block is compared with."""
        return self._present if ready.block.start_index >= self._since else self._former

    def incident(self, ready: ReadyBlock, *, is_open: bool) -> None:
        """This block opened or resolved the data incident."""
        if is_open:
            self._counts.opened(ready.end)
        else:
            self._counts.resolved()

    def closed(self, closed: ClosedPane) -> Change | None:
        """A pane closed, after its blocks were judged; what a lineage that waited came to."""
        before = self._counts.in_force
        change = self._counts.closed(closed.pane, closed.n, closed.counts)
        return self._changed(change, before, closed.pane + 1)

    def took_over(self, left: str, lineage: str, pane: int) -> Change | None:
        """Another version serves since this pane, perhaps one of another lineage."""
        if family(left) == family(lineage):
            return None
        before = self._counts.in_force
        change = self._counts.took_over(family(left), family(lineage), pane)
        return self._changed(change, before, pane)

    def accept(self, panes: range, since: int) -> Change:
        """Closed panes are to be the reference of panes from `since` on."""
        before = self._counts.in_force
        change = self._counts.accept(panes.start, panes.stop)
        self._changed(change, before, since)
        return change

    def _changed(self, change: Change | None, before: Counted | None, since: int) -> Change | None:
        if change is not None and change.changes:
            self._since, self._before = since, before
            self._former, self._present = self._present, self._made(self._counts.in_force)
        return change

    def drop(self, horizon: int) -> None:
        """Panes below the label horizon can be accepted no more."""
        self._counts.drop(horizon)

    def snapshot(self) -> dict[str, Any]:
        """The state, for orjson."""
        return {
            "bins": self._written,
            "counts": self._counts.snapshot(),
            "since": self._since,
            "before": row(self._before),
        }

    @classmethod
    def restore(cls, snapshot: Mapping[str, Any]) -> Self:
        """The state that `snapshot` gave."""
        bins = BinsBody.model_validate(snapshot["bins"])
        counts = ReferenceCounts.restore(bins, snapshot["counts"])
        return cls(bins, counts, snapshot["since"], from_row(snapshot["before"]))
