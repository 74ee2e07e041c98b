"""How many of the last so many labels contradict their predictions?"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

from driftline_schemas.fields import TopicPosition


@dataclass(slots=True)
class LastLabels:
    """The last `size` labels in the order of the journal, each known by its position, so that a
    correction finds the one that it corrects."""

    size: int
    wrong: int = 0
    _is_wrong: OrderedDict[TopicPosition, bool] = field(default_factory=OrderedDict)

    def add(self, position: TopicPosition, *, is_wrong: bool) -> None:
        """The newest label; the oldest is let go when there are more than `size`."""
        self._is_wrong[position] = is_wrong
        self.wrong += is_wrong
        if len(self._is_wrong) > self.size:
            _, oldest = self._is_wrong.popitem(last=False)
            self.wrong -= oldest

    def amend(self, position: TopicPosition, *, is_wrong: bool) -> bool:
        """Whether the label is still among them and was the other way."""
        known = self._is_wrong.get(position)
        if known is None or known == is_wrong:
            return False
        self._is_wrong[position] = is_wrong
        self.wrong += is_wrong - known
        return True

    @property
    def is_full(self) -> bool:
        return len(self._is_wrong) == self.size

    @property
    def accuracy(self) -> float:
        """The share of right ones. Raises ZeroDivisionError before the first label."""
        return (len(self._is_wrong) - self.wrong) / len(self._is_wrong)

    def copy(self) -> "LastLabels":
        """The same labels, from now on apart."""
        return LastLabels(self.size, self.wrong, self._is_wrong.copy())

    def snapshot(self) -> list[list[int]]:
        """The state as JSON types."""
        return [[*position, int(is_wrong)] for position, is_wrong in self._is_wrong.items()]

    @classmethod
    def restore(cls, size: int, snapshot: Iterable[list[int]]) -> Self:
        """The state that `snapshot` gave."""
        labels = cls(size)
        for partition, offset, is_wrong in snapshot:
            labels.add((partition, offset), is_wrong=bool(is_wrong))
        return labels
