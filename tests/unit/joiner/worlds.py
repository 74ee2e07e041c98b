"""A joiner's partition in an in-memory world that can crash, lose its store, and fail to save."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import orjson

from driftline.core.arrival_order import ArrivalOrder
from driftline.core.drift.bins import NumericBins
from driftline.core.joining.counting import ModelBins
from driftline.core.joining.matching import Limits
from driftline.joiner.bins import BinsInForce
from driftline.joiner.memory import MemoryJoins, MemoryJoinStore
from driftline.joiner.snapshot import Overlay
from driftline.joiner.state import JoinerState
from driftline.joiner.store import JoinPayload
from driftline.runtime.dead_letters import DeadLetters
from driftline.runtime.keeper import Keeper
from driftline.runtime.memory import ManualClock, MemoryOutputs, MemoryReader
from driftline.runtime.ports import TP, Opening
from driftline_schemas.fields import format_time
from driftline_schemas.journal import JOURNAL_RECORD, Counts
from driftline_schemas.partitioner import partition_of
from driftline_schemas.topics import DEAD_LETTERS, JOURNAL, LABELS, PREDICTIONS, UNMATCHED

PREFIX = "t"
PREDICTIONS_TP = TP(PREDICTIONS.full_name(PREFIX), 0)
LABELS_TP = TP(LABELS.full_name(PREFIX), 0)
START = 1_700_000_000_000
PANE_SECONDS = 1
FAR = 10**15
IDLE = {PREDICTIONS_TP.topic: FAR, LABELS_TP.topic: FAR}
HORIZON, GRACE = 1_000, 1_000
DUE = HORIZON + GRACE + 1
EDGES = (0.0, 1.0)
BINS_ID = "0123456789abcdef"


def ids_here() -> Iterator[str]:
    """Prediction ids that belong into partition 0."""
    number = 0
    while True:
        if partition_of(f"id-{number}", PREDICTIONS.partitions) == 0:
            yield f"id-{number}"
        number += 1


A, B, C = islice(ids_here(), 3)


def prediction(id_: str, *, model: str = "m", at: int = START, x: Any = 0.5, **more: Any) -> bytes:
    """A prediction's bytes; `at` is its own time."""
    ids = {"prediction_id": id_, "model": model, "model_version": "v1"}
    document = {**ids, "predicted_at": format_time(at), "features": {"x": x}, "prediction": "yes"}
    return orjson.dumps(document | more)


def label(id_: str, value: Any = "yes", *, model: str = "m") -> bytes:
    """A label's bytes."""
    document = {"prediction_id": id_, "model": model, "label": value}
    return orjson.dumps({**document, "labelled_at": format_time(START)})


@dataclass(slots=True)
class World:
    """What outlives a process, and the process of the moment."""

    horizon: int = HORIZON
    window: int = 3_000
    overlay: Overlay = field(default_factory=Overlay)
    ordered: bool = False  # apply by append time, as in the product
    reader: MemoryReader = field(default_factory=MemoryReader)
    joins: MemoryJoins = field(default_factory=MemoryJoins)
    outputs: MemoryOutputs = field(default_factory=MemoryOutputs)
    clock: ManualClock = field(default_factory=lambda: ManualClock(START))
    keeper: Keeper[JoinPayload] = field(init=False)

    async def start(self) -> None:
        """A new process owns partition 0; the former one is gone, whatever it was doing."""
        store, dead_letters = (
            MemoryJoinStore(self.joins),
            DeadLetters(self.outputs, PREFIX, "joiner"),
        )
        bins = BinsInForce(lead_ms=FAR)
        bins._by_model["m"] = [ModelBins(BINS_ID, 0, {"x": NumericBins(EDGES)})]

        async def open_state(opening: Opening[JoinPayload]) -> JoinerState:
            return JoinerState(
                opening,
                prefix=PREFIX,
                limits=Limits(self.horizon, self.window),
                overlay=self.overlay,
                pane_seconds=PANE_SECONDS,
                store=store,
                bins=bins,
                dead_letters=dead_letters,
            )

        order: Any = ArrivalOrder(lead_ms=0, slack_ms=0) if self.ordered else ArrivalOrder(None)
        self.keeper = Keeper(
            topics=(PREDICTIONS_TP.topic, LABELS_TP.topic),
            open_state=open_state,
            store=store,
            outputs=self.outputs,
            poison=dead_letters,
            clock=self.clock,
            topic_ids={},
            order=order,
        )
        self.keeper.reader = self.reader
        tps = [PREDICTIONS_TP, LABELS_TP]
        self.reader.assign(tps)
        self.reader.positions |= await self.keeper.assign(tps)

    @property
    def state(self) -> JoinerState:
        state = self.keeper.states[0]
        assert isinstance(state, JoinerState)
        return state

    async def read(self, tp: TP | None = None, most: int = 1_000) -> None:
        """Poll one topic, or both, once."""
        asked = self.keeper.wanted({tp} if tp else set(self.reader.positions))
        await self.keeper.process(asked, self.reader.poll(asked, most))

    async def read_all(self) -> None:
        while any(self.keeper.lag(tp) for tp in self.keeper.owned):
            await self.read()

    async def finish(self) -> None:
        """Everything is read, everything that waited too long is reported, counts are sent."""
        await self.read_all()
        state, before = self.state, -1
        while before != len(self.outputs.records):
            before = len(self.outputs.records)
            await state.expire({PREDICTIONS_TP.topic: FAR, LABELS_TP.topic: FAR})
        state.send_counts()
        await self.keeper.checkpoint()

    def lose_store(self) -> None:
        """Redis comes back empty."""
        self.joins = MemoryJoins()

    # -- what was written, by identity ------------------------------------------------------------

    def journal(self, since: int = 0) -> list[Any]:
        topic = JOURNAL.full_name(PREFIX)
        return [JOURNAL_RECORD.validate_python(orjson.loads(record.value))
                for record in self.outputs.records[since:] if record.topic == topic]  # fmt: skip

    def joined(self, since: int = 0) -> set[tuple[int, int]]:
        return {(r.prediction_tp[1], r.label_tp[1]) for r in self.journal(since)
                if r.kind == "joined"}  # fmt: skip

    def corrections(self, since: int = 0) -> set[tuple[int, Any, Any, int]]:
        return {(r.label_tp[1], r.label, r.previous_label, r.corrects[1])
                for r in self.journal(since) if r.kind == "correction"}  # fmt: skip

    def counts(self, since: int = 0) -> dict[tuple[str, str, int, int], list[int]]:
        """By identity the record with the highest n: n, skewed, and the vector of x."""
        best: dict[tuple[str, str, int, int], Counts] = {}
        for record in self.journal(since):
            if record.kind == "counts":
                place = (record.model, record.model_version, record.pane, record.segment)
                if place not in best or record.n > best[place].n:
                    best[place] = record
        return {at: [c.n, c.skewed, *c.counts["x"]] for at, c in best.items()}

    def unmatched(self, since: int = 0) -> set[tuple[str, int]]:
        return {(r["reason"], r["source_tp"][1]) for r in self._of(UNMATCHED, since)}

    def dead(self, since: int = 0) -> set[tuple[str, int, str]]:
        return {(r["topic"], r["offset"], r["reason"]) for r in self._of(DEAD_LETTERS, since)}

    def _of(self, topic: Any, since: int) -> list[Any]:
        name = topic.full_name(PREFIX)
        return [orjson.loads(r.value) for r in self.outputs.records[since:] if r.topic == name]


def write_prediction(world: World, id_: str, at: int, **more: Any) -> int:
    return world.reader.append(PREDICTIONS_TP, prediction(id_, **more), timestamp=START + at)


def write_label(world: World, id_: str, at: int, value: Any = "yes") -> int:
    return world.reader.append(LABELS_TP, label(id_, value), timestamp=START + at)


async def started(**settings: Any) -> World:
    world = World(**settings)
    await world.start()
    return world
