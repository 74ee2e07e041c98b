"""Labels that came before their prediction, or that will never meet one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from driftline.core.joining.envelope import Value


class Later(NamedTuple):
    """A different label under the same id: a correction once the first one is joined."""

    offset: int
    time: int
    label: Value


class WaitingLabel(NamedTuple):
    """The first label of an id and what corrected it while it waited."""

    prediction_id: str
    model: str
    offset: int
    time: int
    label: Value
    corrections: tuple[Later, ...] = ()

    @property
    def current(self) -> Value:
        """The label as it stands now."""
        return self.corrections[-1].label if self.corrections else self.label


def _beginning_with(label: WaitingLabel, later: Sequence[Later]) -> WaitingLabel:
    first, *others = later
    return WaitingLabel(label.prediction_id, label.model, *first, corrections=tuple(others))


@dataclass(slots=True)
class WaitingLabels:
    """The waiting labels of one partition, all in memory; the store keeps a copy by changes."""

    by_key: dict[int, list[WaitingLabel]] = field(default_factory=dict)
    changed: set[int] = field(default_factory=set)
    reported: set[tuple[int, int]] = field(default_factory=set)

    def __len__(self) -> int:
        return len(self.by_key)

    def newest(self, key: int) -> WaitingLabel | None:
        """The label under `key` that came last of those that began to wait."""
        waiting = self.by_key.get(key)
        return waiting[-1] if waiting else None

    def put(self, key: int, label: WaitingLabel) -> None:
        """Let a label wait."""
        self.by_key.setdefault(key, []).append(label)
        self.changed.add(key)

    def correct(self, key: int, later: Later) -> None:
        """Remember a different label for the newest that waits under `key`."""
        newest = self.by_key[key][-1]
        self.by_key[key][-1] = newest._replace(corrections=(*newest.corrections, later))
        self.changed.add(key)

    def take(self, key: int, time: int, horizon: int) -> WaitingLabel | None:
        """Remove and return the first label within `horizon` of `time` (append times, ms)."""
        for label in self.by_key.get(key, ()):
            if abs(label.time - time) <= horizon:
                self.remove(key, label)
                return label
        return None

    def take_later(self, key: int, offset: int, until: int) -> list[Later]:
        """Remove and return what waits under `key` behind `offset`, up to `until` (ms)."""
        taken: list[Later] = []
        rest: list[WaitingLabel] = []
        for label in self.by_key.get(key, ()):
            every = (Later(label.offset, label.time, label.label), *label.corrections)
            inside = [each for each in every if each.offset > offset and each.time <= until]
            taken += inside
            if not inside:
                rest.append(label)
            elif outside := every[len(inside) :]:
                rest.append(_beginning_with(label, outside))
        if taken:
            self._replace(key, rest)
        return taken

    def remove(self, key: int, label: WaitingLabel) -> None:
        """Let a label wait no longer."""
        rest = [other for other in self.by_key[key] if other.offset != label.offset]
        self.reported.discard((key, label.offset))
        self._replace(key, rest)

    def _replace(self, key: int, rest: list[WaitingLabel]) -> None:
        if rest:
            self.by_key[key] = rest
        else:
            del self.by_key[key]
        self.changed.add(key)

    def due(self, before: int) -> Iterator[tuple[int, WaitingLabel]]:
        """Labels from before `before` (ms), in the order in which they began to wait."""
        for key, waiting in self.by_key.items():
            if waiting[0].time >= before:
                return
            yield from ((key, label) for label in waiting if label.time < before)
