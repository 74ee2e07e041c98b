"""What is learned from a partition of the journal? A fold over its records; what is made known.

Each model holds the journal up to an offset of its own, so that a partition may be put together
from states of several offsets: records that a model holds already are ignored by it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Self

from driftline.core.learning.labelled import Labelled
from driftline.core.learning.materials import Need
from driftline.core.learning.model_learning import ModelLearning
from driftline.core.learning.outcomes import Outcome
from driftline.core.learning.surroundings import Surroundings
from driftline.core.monitoring.identities import HOUR_MS
from driftline_schemas.control import Control
from driftline_schemas.journal import Joined

JOINED: Final = (Labelled, Joined)
Learned = (
    Joined | Labelled | Control
)  # the kinds of records that are looked into; others tell the time


class Upcoming(NamedTuple):
    """A record that is to be folded in: offset, append time (ms), and what it says."""

    offset: int
    append_time: int
    record: Learned | None


@dataclass(slots=True)
class LearningFold:
    """The models of one journal partition. `time` is the latest append time (ms) of a record."""

    around: Surroundings
    models: dict[str, ModelLearning] = field(default_factory=dict)
    time: int = 0

    def step(self, entry: Upcoming) -> list[Outcome]:
        """Fold one record in. Raises KeyError where the materials lack what `needs` asked for."""
        offset, append_time, record = entry
        if append_time > self.time:
            self._advance(append_time)
        outcomes: list[Outcome] = []
        if record is not None:
            model = self.models.get(record.model) or self._new(record.model)
            if offset >= model.next:
                outcomes = self._fold(model, offset, record)
        for model in self.models.values():
            if model.jobs.open and offset >= model.next:
                outcomes += model.work(offset, self.time)
        return outcomes

    def _fold(self, model: ModelLearning, offset: int, record: Learned) -> list[Outcome]:
        if isinstance(record, JOINED):
            return model.joined(offset, self.time, record)
        return model.control(offset, self.time, record)

    def _advance(self, time: int) -> None:
        if time // HOUR_MS != self.time // HOUR_MS:
            self._forget(time - 2 * HOUR_MS)
            for model in self.models.values():
                model.identities.advance(time)
        self.time = time

    def _forget(self, since: int) -> None:
        """Anybody may write any model's name: those that were only passing by are let go."""
        for name in [name for name, model in self.models.items() if model.is_forgotten(since)]:
            del self.models[name]

    def _new(self, name: str) -> ModelLearning:
        model = self.models[name] = ModelLearning(name, self.around)
        model.identities.advance(self.time)
        return model

    def needs(self, upcoming: Sequence[Upcoming]) -> Iterator[Need]:
        """What the materials must hold before these records are folded in."""
        told: dict[str, list[tuple[int, int, Learned]]] = {name: [] for name in self.models}
        time = self.time
        for entry in upcoming:
            time = max(time, entry.append_time)
            if entry.record is not None:
                told.setdefault(entry.record.model, []).append((entry.offset, time, entry.record))
        for name, places in told.items():
            model = self.models.get(name) or ModelLearning(name, self.around)
            yield from model.needs([place for place in places if place[0] >= model.next])

    @property
    def is_busy(self) -> bool:
        """Whether something learns again."""
        return any(model.jobs.open for model in self.models.values())

    @property
    def conflicts(self) -> int:
        """Numbers where the specification says class, or the reverse, since this was made."""
        return sum(model.conflicts for model in self.models.values())

    def broken(self) -> int:
        """Lineages that have stopped and pipelines that never began."""
        lineages = [e.lineage for m in self.models.values() for e in m.roster.entrants.values()]
        never = sum(len(model.roster.broken) for model in self.models.values())
        return never + sum(lineage.broken is not None for lineage in lineages)

    def snapshots(self, offset: int) -> list[tuple[dict[str, Any], dict[str, bytes]]]:
        """Each model as of the record before `offset`: its state for JSON, which `restore` takes,
        and the bytes that it refers to, by sha256."""
        found = []
        for model in self.models.values():
            model.next = max(model.next, offset)
            state, artifacts = model.snapshot()
            found.append(({**state, "time": self.time}, artifacts))
        return found

    def versions(self) -> set[str]:
        """sha256 of the versions that are kept."""
        return {digest for model in self.models.values() for digest in model.version_digests()}

    @classmethod
    def restore(
        cls,
        around: Surroundings,
        time: int,
        models: Iterable[Mapping[str, Any]],
        artifacts: Mapping[str, bytes],
    ) -> Self:
        """A partition of the states that `snapshots` gave, be they of several offsets; `time` is
        that of the one that is the furthest behind. Raises ValueError and what the codec raises."""
        restored = [ModelLearning.restore(around, model, artifacts) for model in models]
        return cls(around, {model.model: model for model in restored}, time)
