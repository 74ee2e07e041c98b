"""When do drifted features make an incident, what caused it, and when is it over?

One incident per model, whatever the number of features: they are its ranked cause.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from driftline.core.drift.blocks import JudgedBlock
from driftline.core.drift.budget import TARGETS
from driftline.core.drift.two_sample import Comparison


@dataclass(frozen=True, slots=True)
class BlockVerdict:
    """What a judged block says: `effects` of its drifted scopes, and how many it could judge at
    all. `offset` is the journal offset that closed it."""

    start_index: int
    panes: int
    target: int
    n: int
    effects: Mapping[str, float]
    judged: int
    offset: int


def block_verdict(
    block: JudgedBlock, comparisons: Mapping[str, Comparison], offset: int
) -> BlockVerdict:
    """Sum a block's comparisons up, by scope (feature or prediction)."""
    judged = {s: c for s, c in comparisons.items() if c.outcome in ("ok", "drifted")}
    effects = {scope: c.effect for scope, c in judged.items() if c.outcome == "drifted"}
    return BlockVerdict(
        block.start_index, block.panes, block.target, block.n, effects, len(judged), offset
    )


@dataclass(frozen=True, slots=True)
class Cause:
    """A drifted feature: its largest effect so far, and the journal offset it was first seen at."""

    feature: str
    effect: float
    first_offset: int


@dataclass(frozen=True, slots=True)
class Opened:
    """Features drifted while none was known to: the cause, largest effect first."""

    cause: tuple[Cause, ...]


@dataclass(frozen=True, slots=True)
class Extended:
    """Further features drifted while an incident was open: the whole cause, ranked anew."""

    cause: tuple[Cause, ...]


@dataclass(frozen=True, slots=True)
class Resolved:
    """A small block was clean; the cause is that of the incident it ends."""

    cause: tuple[Cause, ...]


@dataclass(slots=True)
class DataIncident:
    """The data incident of one model, open or not."""

    _causes: dict[str, Cause] = field(default_factory=dict)  # none: no incident is open
    _not_before: int = 0  # blocks that begin below are judged no more
    _drifted: tuple[int, int] | None = None  # start and panes of the last block that drifted

    @property
    def is_open(self) -> bool:
        return bool(self._causes)

    @property
    def cause(self) -> tuple[Cause, ...]:
        """The features of the open incident, largest effect first, ties by name."""
        return tuple(sorted(self._causes.values(), key=lambda c: (-c.effect, c.feature)))

    def judges(self, start_index: int) -> bool:
        """Whether a block that begins at this pane is to be judged.

        After an incident larger blocks would still hold its panes, and open it again.
        """
        return start_index >= self._not_before

    def step(self, verdict: BlockVerdict) -> Opened | Extended | Resolved | None:
        """Take in a block's verdict, in the order that `Blocks.close` gave the blocks."""
        if not self.judges(verdict.start_index):
            return None
        if verdict.effects:
            return self._drift(verdict)
        return self._resolve(verdict) if self.is_open and self._is_clean(verdict) else None

    def _drift(self, verdict: BlockVerdict) -> Opened | Extended | None:
        was_open, known = self.is_open, len(self._causes)
        self._drifted = (verdict.start_index, verdict.panes)
        for feature, effect in verdict.effects.items():
            cause = self._causes.get(feature, Cause(feature, effect, verdict.offset))
            self._causes[feature] = Cause(feature, max(effect, cause.effect), cause.first_offset)
        if not was_open:
            return Opened(self.cause)
        return Extended(self.cause) if len(self._causes) > known else None

    def _is_clean(self, verdict: BlockVerdict) -> bool:
        # A busy model's block is judged for every target at once, the largest (and most sensitive)
        # first: what drifted for one is not clean for another, or a page would open and close
        # with every pane. A block that judged nothing is no evidence either.
        same_block = (verdict.start_index, verdict.panes) == self._drifted
        return verdict.target == TARGETS[0] and verdict.judged > 0 and not same_block

    def _resolve(self, verdict: BlockVerdict) -> Resolved:
        resolved = Resolved(self.cause)
        self._causes.clear()
        self._not_before = verdict.start_index
        return resolved

    def snapshot(self) -> dict[str, Any]:
        """The state as JSON types."""
        return {
            "causes": [[c.feature, c.effect, c.first_offset] for c in self._causes.values()],
            "not_before": self._not_before,
            "drifted": None if self._drifted is None else list(self._drifted),
        }

    @classmethod
    def restore(cls, snapshot: Mapping[str, Any]) -> DataIncident:
        """The state that `snapshot` gave."""
        causes = [Cause(*cause) for cause in snapshot["causes"]]
        drifted = None if snapshot["drifted"] is None else tuple(snapshot["drifted"])
        return cls({cause.feature: cause for cause in causes}, snapshot["not_before"], drifted)
