"""How right was the model pane by pane, as far back as labels may come?

Panes lie in stretches of 64. A stretch that did not change since it was last written is not
written anew: a checkpoint of a week of panes costs what its newest hour and late labels cost.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

import orjson

from driftline.core.monitoring.tallies import Output, Tally, Versions

STRETCH_BITS: Final = 6


@dataclass(slots=True)
class PaneTallies:
    """Tallies by pane and version, and how many predictions and labels all of them hold."""

    predictions: int = 0
    labels: int = 0
    _stretches: dict[int, dict[int, Versions]] = field(default_factory=dict)  # by pane >> 6
    _written: dict[int, orjson.Fragment] = field(default_factory=dict)  # of those as they are

    def predicted(self, pane: int, version: str, n: int, at: int) -> None:
        """Predictions of a pane became known."""
        self._changed(pane, version, at).predicted += n
        self.predictions += n

    def labelled(self, pane: int, version: str, prediction: Output, label: Output, at: int) -> None:
        """A prediction of a pane got its label."""
        self._changed(pane, version, at).label(prediction, label)
        self.labels += 1

    def corrected(
        self, pane: int, version: str, prediction: Output, labels: tuple[Output, Output], at: int
    ) -> bool:
        """The label of a prediction changed; False if what it corrects is no longer kept."""
        panes = self._stretches.get(pane >> STRETCH_BITS, {})
        tally = panes.get(pane, {}).get(version)
        if tally is None or not tally.labelled:
            return False
        self._changed(pane, version, at).correct(prediction, *labels)
        return True

    def _changed(self, pane: int, version: str, at: int) -> Tally:
        key = pane >> STRETCH_BITS
        self._written.pop(key, None)
        versions = self._stretches.setdefault(key, {}).setdefault(pane, {})
        tally = versions.get(version)
        if tally is None:
            tally = versions[version] = Tally()
        if at > tally.changed_at:
            tally.changed_at = at
        return tally

    def within(self, first: int, end: int) -> list[Versions]:
        """Those of panes [first, end) that hold something, in their order."""
        keys: Sequence[int] = range(first >> STRETCH_BITS, ((end - 1) >> STRETCH_BITS) + 1)
        if len(keys) > len(self._stretches):
            keys = sorted(key for key in self._stretches if key in keys)
        found = [self._stretches.get(key, {}) for key in keys]
        return [panes[pane] for panes in found for pane in sorted(panes) if first <= pane < end]

    def drop(self, below: int) -> None:
        """Let go of all panes below."""
        for key in [key for key in self._stretches if key <= below >> STRETCH_BITS]:
            panes = self._stretches[key]
            for pane in [pane for pane in panes if pane < below]:
                self._written.pop(key, None)
                for tally in panes.pop(pane).values():
                    self.predictions -= tally.predicted
                    self.labels -= tally.labelled
            if not panes:
                del self._stretches[key]

    @property
    def is_empty(self) -> bool:
        return not self._stretches

    def snapshot(self) -> list[orjson.Fragment]:
        """The stretches, for orjson."""
        for key in self._stretches.keys() - self._written.keys():
            self._written[key] = orjson.Fragment(orjson.dumps(_rows(self._stretches[key])))
        return [self._written[key] for key in self._stretches]

    @classmethod
    def restore(cls, snapshot: Iterable[list[Any]]) -> Self:
        """What `snapshot` gave."""
        stretches = {rows[0][0] >> STRETCH_BITS: _panes(rows) for rows in snapshot}
        tallies = [
            tally
            for panes in stretches.values()
            for versions in panes.values()
            for tally in versions.values()
        ]
        predictions = sum(tally.predicted for tally in tallies)
        return cls(predictions, sum(tally.labelled for tally in tallies), stretches)


def _rows(panes: dict[int, Versions]) -> list[list[Any]]:
    return [[pane, {v: tally.row() for v, tally in vs.items()}] for pane, vs in panes.items()]


def _panes(rows: Iterable[list[Any]]) -> dict[int, Versions]:
    return {pane: {v: Tally(*row) for v, row in versions.items()} for pane, versions in rows}
