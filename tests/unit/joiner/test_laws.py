"""Whatever the order of reading, the batches and the crashes: the outputs follow from the logs."""

import asyncio
from dataclasses import dataclass
from itertools import islice
from typing import Any

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from driftline.joiner.snapshot import Overlay
from driftline.runtime.ports import TP
from driftline_schemas.partitioner import partition_of
from tests.unit.joiner import naive
from tests.unit.joiner.worlds import (
    EDGES,
    LABELS_TP,
    PANE_SECONDS,
    PREDICTIONS_TP,
    START,
    World,
    ids_here,
    label,
    prediction,
)

IDS = list(islice(ids_here(), 5))
FRESH = list(islice(ids_here(), 5, 200))
ELSEWHERE = next(f"x-{n}" for n in range(100) if partition_of(f"x-{n}", 16) != 0)
HORIZON = 1_000
STEPS = st.sampled_from([0, 1, 40, 300, 700, 1_000, 2_500])
BROKEN = st.sampled_from(["invalid_json", "misplaced", "missing_field"])
FIRST_OFFSET = 995  # so that a segment ends within most logs
LAWS = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@dataclass(slots=True)
class Logs:
    """Both logs, and what is good in them."""

    world: World
    predictions: list[naive.P]
    labels: list[naive.L]
    refused: set[tuple[str, int, str]]

    def refuse(self, tp: TP, reason: str, time: int) -> None:
        raw = {"invalid_json": b"{", "missing_field": b"{}"}.get(reason)
        if raw is None:
            raw = prediction(ELSEWHERE) if tp == PREDICTIONS_TP else label(ELSEWHERE)
        offset = self.append(tp, raw, time)
        self.refused.add((tp.topic, offset, reason))

    def append(self, tp: TP, raw: bytes, time: int) -> int:
        first = not self.world.reader.logs.get(tp)
        offset = FIRST_OFFSET if first else -1
        self.world.reader.begins[tp] = FIRST_OFFSET
        return self.world.reader.append(tp, raw, timestamp=time, offset=offset)


@st.composite
def logs(draw: st.DrawFn, *, window: int, reuse: bool) -> Logs:
    """Two logs. Without `reuse` a key's later events stay near its first (see the law)."""
    overlay = draw(st.sampled_from([Overlay(), Overlay(age_ms=0), Overlay(10**9, 600)]))
    world = World(horizon=HORIZON, window=window, overlay=overlay, ordered=reuse)
    made = Logs(world, [], [], set())
    fresh = iter(FRESH)
    first: dict[tuple[str, str], int] = {}
    time = START
    for _ in range(draw(st.integers(0, 14))):
        time += draw(STEPS)
        if draw(st.integers(0, 11)) == 0:
            made.refuse(PREDICTIONS_TP, draw(BROKEN), time)
            continue
        id_ = draw(st.sampled_from(IDS))
        if not reuse and time > first.setdefault(("p", id_), time) + HORIZON:
            id_ = next(fresh)
        at = time + draw(st.sampled_from([0, -300, -5_000, 400_000]))
        x = draw(st.sampled_from([-1.0, 0.0, 0.5, 7, None]))
        raw = prediction(id_, at=at, x=x)
        if made.predictions and draw(st.integers(0, 3)) == 0:
            raw, old = made.predictions[-1].raw, made.predictions[-1]
            if not reuse and time > first.get(("p", old.key[1]), time) + HORIZON:
                continue
            id_, at, x = old.key[1], old.predicted_at, old.x
        offset = made.append(PREDICTIONS_TP, raw, time)
        made.predictions.append(naive.P(offset, time, ("m", id_), raw, "v1", at, x))
    time = START + draw(st.sampled_from([-900, 0, 500]))
    for _ in range(draw(st.integers(0, 14))):
        time += draw(STEPS)
        if draw(st.integers(0, 11)) == 0:
            made.refuse(LABELS_TP, draw(BROKEN), time)
            continue
        id_ = draw(st.sampled_from(IDS))
        if not reuse and time > first.setdefault(("l", id_), time) + window:
            id_ = next(fresh)
        value: Any = draw(st.sampled_from(["yes", "no"]))
        offset = made.append(LABELS_TP, label(id_, value), time)
        made.labels.append(naive.L(offset, time, ("m", id_), value))
    return made


FAILURES = [
    "crash", "unconfirmed", "lost outputs", "store away", "no commit", "lost store", "rebalance",
]  # fmt: skip
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["predictions", "labels"]), st.integers(1, 6)),
        st.tuples(st.sampled_from(["checkpoint", "expire", "counts"]), st.just(0)),
        st.tuples(st.sampled_from(FAILURES), st.just(0)),
    ),
    max_size=25,
)


class Run:
    """Plays actions and remembers where the store was lost, to check what was silent."""

    def __init__(self, made: Logs) -> None:
        self.world = made.world
        self.losses: list[tuple[int, int, int]] = []  # outputs so far, committed offsets

    async def play(self, actions: list[tuple[str, int]]) -> None:
        await self.world.start()
        for action, number in actions:
            await self._act(action, number)
        await self.world.finish()

    async def _act(self, action: str, number: int) -> None:
        world, keeper = self.world, self.world.keeper
        match action:
            case "predictions" | "labels":
                only = PREDICTIONS_TP if action == "predictions" else LABELS_TP
                await world.read(None if world.ordered else only, most=number)
            case "checkpoint":
                await keeper.checkpoint()
            case "crash":
                await world.start()
            case "expire":
                await world.state.expire({})
            case "counts":
                world.state.send_counts()
            case "unconfirmed":
                world.outputs.confirming = False
                await keeper.checkpoint()
                world.outputs.confirming = True
            case "lost outputs":
                world.outputs.losing = True
                await keeper.checkpoint()
                world.outputs.losing = False
            case "store away":
                world.joins.away = True
                await keeper.checkpoint()
                world.joins.away = False
            case "no commit":
                world.reader.refusing_commits = True
                await keeper.checkpoint()
                world.reader.refusing_commits = False
            case "rebalance":
                tps = list(world.reader.positions)
                await keeper.checkpoint(release=True)
                world.reader.assign(tps)
                world.reader.positions |= await keeper.assign(tps)
            case "lost store":
                commits = world.reader.commits
                at = (commits.get(PREDICTIONS_TP, 0), commits.get(LABELS_TP, 0))
                self.losses.append((len(world.outputs.records), *at))
                world.lose_store()
                await world.start()

    def check_silence(self, counted: set[int]) -> None:
        """Nothing that was committed is written again, but for the counts of the open segment."""
        for since, predictions, labels in self.losses:
            world = self.world
            event("a rebuild" if predictions or labels else "a rebuild of nothing")
            assert not {p for p, k in world.joined(since) if p < predictions and k < labels}
            assert not {
                (topic, offset)
                for topic, offset, _ in world.dead(since)
                if offset < (predictions if topic == PREDICTIONS_TP.topic else labels)
            }
            open_segment = max((o for o in counted if o < predictions), default=0) // 1_000
            assert not {at for at in world.counts(since) if at[3] < open_segment}


def check(made: Logs, window: int, run: Run) -> None:
    rules = naive.Naive(HORIZON, window, PANE_SECONDS * 1_000, EDGES)
    expected, world = rules.answer(made.predictions, made.labels), made.world
    assert world.joined() == expected.joined
    assert world.corrections() == expected.corrections
    assert world.counts() == expected.counts
    assert world.unmatched() == expected.alone
    assert world.dead() == made.refused
    run.check_silence(expected.counted)


@LAWS
@given(data=st.data())
def test_any_interleaving_of_the_two_logs_gives_the_same(data: st.DataObject) -> None:
    """For ids that are not used again after their time: see the next law for those that are."""
    made = data.draw(logs(window=3 * HORIZON, reuse=False))
    run = Run(made)
    asyncio.run(run.play(data.draw(ACTIONS)))
    check(made, 3 * HORIZON, run)


@LAWS
@given(data=st.data(), window=st.sampled_from([300, 1_000, 2_500]))
def test_in_the_order_of_append_times_ids_may_be_used_again(
    data: st.DataObject, window: int
) -> None:
    made = data.draw(logs(window=window, reuse=True))
    run = Run(made)
    asyncio.run(run.play(data.draw(ACTIONS)))
    check(made, window, run)
