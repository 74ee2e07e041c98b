"""How right was the model in a month, and which version made most of its predictions?

A month keeps its sums. Of its versions it keeps only what tells which one is named, and only of 64:
a lineage that follows makes one every few dozen labels, which are tens of thousands a month.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

from driftline.core.monitoring.tallies import Output, Tally, main_version

VERSIONS_KEPT: Final = 64


@dataclass(slots=True)
class Month:
    """The sums of all versions.

    Which versions made it up is exact while there are no more than 64, and after that of the one
    with the most predictions and of those that predicted last: a version's predictions come
    together, so one that is let go does not become the first.
    """

    sums: Tally = field(default_factory=Tally)
    _versions: dict[str, tuple[int, int]] = field(default_factory=dict)
    # Predictions and labels by version, the one that predicted last at the end.

    @property
    def main_version(self) -> str:
        """The version that made most of the predictions."""
        return main_version(self._versions)

    def predicted(self, version: str, n: int, at: int) -> None:
        """Predictions of the month became known."""
        self._change(at).predicted += n
        predictions, labels = self._versions.pop(version, (0, 0))
        self._versions[version] = predictions + n, labels
        if len(self._versions) > VERSIONS_KEPT:
            main = self.main_version
            del self._versions[next(name for name in self._versions if name != main)]

    def labelled(self, version: str, prediction: Output, label: Output, at: int) -> None:
        """A prediction of the month got its label. No version takes another's place for that."""
        self._change(at).label(prediction, label)
        known = self._versions.get(version)
        if known is None and len(self._versions) < VERSIONS_KEPT:
            known = 0, 0
        if known is not None:
            self._versions[version] = known[0], known[1] + 1

    def corrected(
        self, version: str, prediction: Output, labels: tuple[Output, Output], at: int
    ) -> bool:
        """The label of a prediction changed; False if what it corrects is not known."""
        if not self._has_labels(version):
            return False
        self._change(at).correct(prediction, *labels)
        return True

    def _has_labels(self, version: str) -> bool:
        if version in self._versions:
            return self._versions[version][1] > 0
        return len(self._versions) == VERSIONS_KEPT and self.sums.labelled > 0

    def _change(self, at: int) -> Tally:
        self.sums.changed_at = max(self.sums.changed_at, at)
        return self.sums

    def snapshot(self) -> list[Any]:
        """The state as JSON types."""
        return [self.sums.row(), self._versions]

    @classmethod
    def restore(cls, snapshot: Sequence[Any]) -> Self:
        """The state that `snapshot` gave."""
        sums, versions = snapshot
        return cls(Tally(*sums), {name: (n, labels) for name, (n, labels) in versions.items()})
