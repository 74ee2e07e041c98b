"""How does a model learn given rows, pass after pass?"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from driftline.core.learning.binary import OnlineModel
from driftline.core.learning.rows import Rows


class Chance(Protocol):
    """A seeded generator, Python's own."""

    def shuffle(self, x: list[int], /) -> None: ...


Chances = Callable[[int], Chance]


class TrainingFailedError(ValueError):
    """A model cannot learn a row; the message says which and why."""


@dataclass(slots=True)
class Training:
    """A model that learns rows `passes` times, and how many of `total` it has learned. With a
    `chance` the order is shuffled before each pass, each time from the order of the last."""

    model: OnlineModel
    rows: Rows
    passes: int = 1
    chance: Chance | None = None
    done: int = 0
    _order: list[int] = field(default_factory=list)
    _shuffled: int = 0

    @property
    def total(self) -> int:
        """Rows times passes."""
        return len(self.rows) * self.passes

    def learn(self, upto: int) -> None:
        """Go on until so many are learned. Raises TrainingFailedError."""
        size = len(self.rows)
        while self.done < min(upto, self.total):
            turn, place = divmod(self.done, size)
            features, label = self.rows[self._index(turn, place)]
            try:
                self.model.learn_one(features, label)
            except Exception as error:
                raise TrainingFailedError(f"cannot learn row {place + 1}: {error!r}") from error
            self.done += 1

    def _index(self, turn: int, place: int) -> int:
        if self.chance is None:
            return place
        if not self._order:
            self._order = list(range(len(self.rows)))
        while self._shuffled <= turn:
            self.chance.shuffle(self._order)
            self._shuffled += 1
        return self._order[place]
