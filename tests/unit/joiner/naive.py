"""What the joiner must write, computed slowly and at once from the two whole logs."""

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Any, NamedTuple

SEGMENT = 1_000
FUTURE_MS = 300_000


class P(NamedTuple):
    """A good prediction."""

    offset: int
    time: int
    key: tuple[str, str]
    raw: bytes
    version: str
    predicted_at: int
    x: float | None


class L(NamedTuple):
    """A good label."""

    offset: int
    time: int
    key: tuple[str, str]
    value: Any


@dataclass(slots=True)
class Answer:
    """Offsets only; a correction also says its value, the one before, and what it corrects."""

    joined: set[tuple[int, int]] = field(default_factory=set)
    corrections: set[tuple[int, Any, Any, int]] = field(default_factory=set)
    alone: set[tuple[str, int]] = field(default_factory=set)
    counts: dict[tuple[str, str, int, int], list[int]] = field(default_factory=dict)
    counted: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Naive:
    """The rules of the join, one key at a time."""

    horizon: int
    window: int
    pane: int
    edges: tuple[float, ...]

    def answer(self, predictions: list[P], labels: list[L]) -> Answer:
        found = Answer()
        for key in {p.key for p in predictions} | {each.key for each in labels}:
            ps = [p for p in predictions if p.key == key]
            ls = [each for each in labels if each.key == key]
            while ps or ls:
                ps, ls = self._generation(ps, ls, found)
        return found

    def _generation(self, ps: list[P], ls: list[L], found: Answer) -> tuple[list[P], list[L]]:
        p, label = (ps[0] if ps else None), (ls[0] if ls else None)
        if p and label and abs(p.time - label.time) <= self.horizon:
            self._count(p, found)
            found.joined.add((p.offset, label.offset))
            until = label.time + self.window
            current = label.value
            for later in ls[1:]:
                if later.time <= until and later.value != current:
                    found.corrections.add((later.offset, later.value, current, label.offset))
                    current = later.value
            return [q for q in ps[1:] if q.time > until], [k for k in ls[1:] if k.time > until]
        if p and (label is None or p.time <= label.time):
            self._count(p, found)
            found.alone.add(("no_label", p.offset))
            return [q for q in ps[1:] if q.time > p.time + self.horizon], ls
        assert label is not None
        found.alone.add(("no_prediction", label.offset))
        until = label.time + min(self.window, self.horizon)
        return ps, [k for k in ls[1:] if k.time > until]

    def _count(self, p: P, found: Answer) -> None:
        found.counted.add(p.offset)
        at, skewed = p.predicted_at, False
        if at > p.time + FUTURE_MS:
            at, skewed = p.time, True
        elif at < p.time - self.horizon:
            skewed = True
        place = (p.key[0], p.version, at // self.pane * self.pane, p.offset // SEGMENT)
        tally = found.counts.setdefault(place, [0] * (len(self.edges) + 5))
        tally[0] += 1
        tally[1] += skewed
        missing = len(self.edges) + 1
        tally[2 + (missing if p.x is None else bisect_right(self.edges, p.x))] += 1
