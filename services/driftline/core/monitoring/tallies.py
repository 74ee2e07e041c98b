"""How right were the predictions of one version in one pane, or of all in one month?

Kept as sums, so that they add up over panes and a correction can take back what a label said. A
prediction and a label that are both classes, or both numbers, are scored whatever the spec says:
it may come later than they do.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from driftline.core.gates.errors import distance

LARGEST_ERROR: Final = 1e100  # sums must stay finite, whatever a label says
Output = str | int | float
Versions = dict[str, "Tally"]  # by model version


@dataclass(slots=True)
class Tally:
    """Sums over predictions; `changed_at` is the append time (ms) of the last record."""

    predicted: int = 0
    changed_at: int = 0
    classes: int = 0  # labelled, prediction and label are classes
    wrong: int = 0  # of these
    mixed: int = 0  # labelled, but one is a class and the other a number
    corrections: int = 0
    numbers: int = 0  # labelled, prediction and label are numbers
    error: float = 0.0  # sum of |label - prediction| over these, but for `lost`
    lost: float = 0.0  # what rounding took from `error`: a correction must give the sum of before

    @property
    def mean_error(self) -> float:
        """Mean |label - prediction|; raises ZeroDivisionError for no numbers."""
        return max(0.0, self.error + self.lost) / self.numbers

    @property
    def labelled(self) -> int:
        return self.classes + self.numbers + self.mixed

    @property
    def revision(self) -> int:
        """Rises with every change: of one fold of one journal, equal revisions are equal sums."""
        return self.predicted + self.labelled + self.corrections

    def label(self, prediction: Output, label: Output, times: int = 1) -> None:
        """Score a label `times` times; -1 takes back what it said."""
        if isinstance(prediction, str) and isinstance(label, str):
            self.classes += times
            self.wrong += times * (prediction != label)
        elif isinstance(prediction, str) or isinstance(label, str):
            self.mixed += times
        else:
            self.numbers += times
            self._add_error(times * min(distance(label, prediction), LARGEST_ERROR))

    def _add_error(self, error: float) -> None:
        # Neumaier's summation: a label of 1e18 that is corrected leaves nothing behind.
        total = self.error + error
        if abs(self.error) >= abs(error):
            self.lost += (self.error - total) + error
        else:
            self.lost += (error - total) + self.error
        self.error = total

    def correct(self, prediction: Output, previous: Output, label: Output) -> None:
        """Put a label in the place of the previous one."""
        self.label(prediction, previous, times=-1)
        self.label(prediction, label)
        self.corrections += 1

    def add(self, other: "Tally") -> None:
        """Add another one's sums."""
        self.predicted += other.predicted
        self.classes += other.classes
        self.wrong += other.wrong
        self.numbers += other.numbers
        self._add_error(other.error)
        self.lost += other.lost
        self.mixed += other.mixed
        self.corrections += other.corrections
        self.changed_at = max(self.changed_at, other.changed_at)

    def row(self) -> tuple[Any, ...]:
        """The sums as JSON types; `Tally(*row)` reads them. Those of numbers are left out where
        there are none."""
        row = (
            self.predicted,
            self.changed_at,
            self.classes,
            self.wrong,
            self.mixed,
            self.corrections,
        )
        numbers = self.numbers, self.error, self.lost
        return row + numbers if any(numbers) else row


def total(tallies: Iterable[Tally]) -> Tally:
    """The sum of all."""
    result = Tally()
    for tally in tallies:
        result.add(tally)
    return result


def by_version(panes: Iterable[Mapping[str, Tally]]) -> Versions:
    """The sums of each version over several panes."""
    versions: Versions = {}
    for pane in panes:
        for version, tally in pane.items():
            versions.setdefault(version, Tally()).add(tally)
    return versions


def main_version(versions: Mapping[str, tuple[int, int]]) -> str:
    """Of predictions and labels by version: the version with the most predictions; then the most
    labels; then the first by name."""
    return min(versions, key=lambda v: (-versions[v][0], -versions[v][1], v))
