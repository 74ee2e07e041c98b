"""What are blocks compared with? The counts of the reference, and when others take their place.

The bins stay for the life of a specification. Their counts change when another lineage takes over
during a data incident, and when somebody accepts what drifted; each lineage has its own, so one
that serves again is watched by those that it had (docs/decisions/0006-reference-counts.md).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple, Self

import numpy as np
import orjson

from driftline.core.drift.counts import BlockCounts, Counts
from driftline.core.drift.pane_history import PaneHistory, Stretch
from driftline_schemas.control import BinsBody
from driftline_schemas.spec import PREDICTION_SCOPE

LEAST: Final = 200  # predictions that make a reference
FAMILIES_KEPT: Final = 8
RECENT_PANES: Final = 16
RECENT_NUMBERS: Final = 16_000  # of models with over 40 features fewer panes are kept one by one


class Counted(NamedTuple):
    """Counts that took the place of the specification's, end to end; `name` is for sentences."""

    name: str
    n: int
    counts: Counts


class Change(NamedTuple):
    """What a takeover or an acceptance came to, and how many predictions there were (None: those
    of the specification's own reference)."""

    outcome: Literal["taken", "taken_back", "waits", "too_few", "other_bins"]
    n: int | None = None

    @property
    def changes(self) -> bool:
        """Whether blocks are compared with other counts from now on."""
        return self.outcome in ("taken", "taken_back")


@dataclass(slots=True)
class _Since:
    """The closed panes since a data incident opened, from pane `first` on."""

    first: int
    n: int
    counts: Counts


@dataclass(slots=True)
class ReferenceCounts:
    """The reference counts of one model by one set of bins."""

    scopes: tuple[tuple[str, int], ...]  # and how many bins each has
    in_force: Counted | None = None  # None: those of the specification
    _waiting: str | None = None  # a lineage that took over and waits for enough predictions
    _since: _Since | None = None  # None: no data incident is open
    _newest: tuple[str, int] | None = None  # who took over in none, and in which pane
    _left: dict[str, Counted | None] = field(default_factory=dict)  # by family, the newest last
    _history: PaneHistory = field(default_factory=PaneHistory)
    _written: orjson.Fragment | None = None  # the history as it is

    @classmethod
    def of(cls, body: BinsBody) -> Self:
        """Those that a `bins` control record brings."""
        sizes = _sizes(body)
        return cls(sizes, _history=PaneHistory(_recent(sizes)))

    def by_scope(self, counted: Counted | None) -> BlockCounts:
        """The counts that differ from the specification's: none of a scope that had none."""
        if counted is None:
            return {}
        parts = self._split(counted.counts)
        return {scope: counts for scope, counts in parts.items() if counts.any()}

    def closed(self, pane: int, n: int, counts: BlockCounts) -> Change | None:
        """A pane closed, after its blocks were judged; what a lineage that waited came to."""
        if n == 0:
            return None
        vector = self._joined(counts)
        self._history.add(pane, n, vector)
        self._written = None
        if self._since is not None and pane >= self._since.first:
            self._since.n += n
            self._since.counts = self._since.counts + vector
        return self._take() if self._waiting is not None else None

    def opened(self, first: int) -> None:
        """A data incident opened; pane `first` is the first after the block that opened it, and
        none from there on has closed yet.

        A block is judged a while after it ended. Whoever took over in between did so because of
        what it holds, so he counts as having done it in this incident.
        """
        self._since = _Since(first, *self._sum([]))
        if self._newest is not None and first <= self._newest[1]:
            self._waiting = self._newest[0]
        self._newest = None

    def resolved(self) -> None:
        """It is over: the data are as the reference, so who took over takes none of his own."""
        self._since = self._waiting = None

    def took_over(self, left: str, lineage: str, pane: int) -> Change | None:
        """Another lineage serves, since this pane; both are named by their families."""
        if self._waiting is None:  # else it never had any of its own
            self._leave(left)
        self._waiting = self._newest = None
        if lineage in self._left:
            return self._take_back(lineage)
        if self._since is None:
            self._newest = lineage, pane
            return None
        self._waiting = lineage
        return self._take() or Change("waits", self._since.n)

    def accept(self, first: int, end: int) -> Change:
        """The closed panes of [first, end) become the reference, if they hold enough."""
        n, counts = self._sum(self._history.within(first, end))
        if n < LEAST:
            return Change("too_few", n)
        self._waiting = None
        self.in_force = Counted("the accepted reference", n, counts)
        return Change("taken", n)

    def _take(self) -> Change | None:
        since, lineage = self._since, self._waiting
        if since is None or lineage is None or since.n < LEAST:
            return None
        self._waiting = None
        outputs = self._outputs_as_before(since.counts)
        self.in_force = Counted(f"the reference of {lineage}", since.n, outputs)
        return Change("taken", since.n)

    def _outputs_as_before(self, counts: Counts) -> Counts:
        """The outputs of these panes are mostly those of who left: his were not the right ones."""
        parts = self._split(counts)
        if PREDICTION_SCOPE in parts:
            former = {} if self.in_force is None else self._split(self.in_force.counts)
            nothing = np.zeros_like(parts[PREDICTION_SCOPE])
            parts[PREDICTION_SCOPE] = former.get(PREDICTION_SCOPE, nothing)
        return self._joined(parts)

    def _take_back(self, lineage: str) -> Change | None:
        former, self.in_force = self.in_force, self._left.pop(lineage)
        if row(former) == row(self.in_force):
            return None
        return Change("taken_back", self.in_force.n if self.in_force else None)

    def _leave(self, family: str) -> None:
        self._left.pop(family, None)
        self._left[family] = self.in_force
        if len(self._left) > FAMILIES_KEPT:
            del self._left[next(iter(self._left))]

    def drop(self, horizon: int) -> None:
        """Panes below the label horizon can be accepted no more."""
        self._history.drop(horizon)
        self._written = None

    def _joined(self, counts: Mapping[str, Counts]) -> Counts:
        """End to end. What other bins counted is left out, as their features cannot be judged."""
        parts = [_sized(counts.get(scope), size) for scope, size in self.scopes]
        return np.concatenate(parts) if parts else np.zeros(0, np.int64)

    def _split(self, counts: Counts) -> BlockCounts:
        ends = np.cumsum([size for _, size in self.scopes])
        return {
            scope: counts[end - size : end]
            for (scope, size), end in zip(self.scopes, ends, strict=True)
        }

    def _sum(self, stretches: Iterable[Stretch]) -> tuple[int, Counts]:
        n, counts = 0, np.zeros(sum(size for _, size in self.scopes), np.int64)
        for stretch in stretches:
            n, counts = n + stretch.n, counts + stretch.counts
        return n, counts

    def snapshot(self) -> dict[str, Any]:
        """The state, for orjson."""
        since = self._since
        if self._written is None:
            self._written = orjson.Fragment(orjson.dumps(self._history.snapshot()))
        return {
            "in_force": row(self.in_force),
            "waiting": self._waiting,
            "newest": self._newest,
            "since": None if since is None else [since.first, since.n, since.counts.tolist()],
            "left": [[family, row(counted)] for family, counted in self._left.items()],
            "history": self._written,
        }

    @classmethod
    def restore(cls, body: BinsBody, snapshot: Mapping[str, Any]) -> Self:
        """The state that `snapshot` gave."""
        sizes, since, newest = _sizes(body), snapshot["since"], snapshot["newest"]
        return cls(
            sizes,
            from_row(snapshot["in_force"]),
            snapshot["waiting"],
            None if since is None else _Since(since[0], since[1], np.array(since[2], np.int64)),
            None if newest is None else (newest[0], newest[1]),
            {family: from_row(saved) for family, saved in snapshot["left"]},
            PaneHistory.restore(snapshot["history"], _recent(sizes)),
        )


def _sizes(body: BinsBody) -> tuple[tuple[str, int], ...]:
    scopes = [(name, b) for name, b in body.features.items() if name != PREDICTION_SCOPE]
    if body.prediction is not None:
        scopes.append((PREDICTION_SCOPE, body.prediction))
    return tuple((name, len(bins.reference)) for name, bins in scopes)


def _recent(scopes: Sequence[tuple[str, int]]) -> int:
    return max(2, min(RECENT_PANES, RECENT_NUMBERS // max(1, sum(size for _, size in scopes))))


def _sized(counts: Counts | None, size: int) -> Counts:
    return counts if counts is not None and counts.shape == (size,) else np.zeros(size, np.int64)


def row(counted: Counted | None) -> list[Any] | None:
    """As JSON types."""
    return None if counted is None else [counted.name, counted.n, counted.counts.tolist()]


def from_row(saved: Sequence[Any] | None) -> Counted | None:
    """What `row` gave."""
    if saved is None:
        return None
    name, n, counts = saved
    return Counted(name, n, np.array(counts, np.int64))
