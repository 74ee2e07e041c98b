"""One partition of the joiner: expiry between other steps, restarts, rebuilds, moves."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import pytest

from driftline.core.joining.halves import Half, Place
from driftline.joiner import snapshot
from driftline.joiner.memory import MemoryJoins
from driftline.joiner.snapshot import Overlay
from driftline.runtime.ports import StoreUnavailableError
from tests.unit.joiner.worlds import (
    FAR,
    LABELS_TP,
    PREDICTIONS_TP,
    START,
    World,
    ids_here,
    label,
    prediction,
)

A, B, C = islice(ids_here(), 3)
HORIZON, GRACE = 1_000, 1_000
DUE = HORIZON + GRACE + 1
IDLE = {PREDICTIONS_TP.topic: FAR, LABELS_TP.topic: FAR}


def write_prediction(world: World, id_: str, at: int, **more: Any) -> int:
    return world.reader.append(PREDICTIONS_TP, prediction(id_, **more), timestamp=START + at)


def write_label(world: World, id_: str, at: int, value: Any = "yes") -> int:
    return world.reader.append(LABELS_TP, label(id_, value), timestamp=START + at)


async def started(**settings: Any) -> World:
    world = World(**settings)
    await world.start()
    return world


@dataclass(slots=True)
class Interrupted:
    """A store during whose fetch something else happens."""

    store: Any
    meanwhile: Callable[[], Awaitable[None]]
    times: int = 1

    async def fetch(self, partition: int, places: Sequence[Place]) -> dict[int, Half]:
        found: dict[int, Half] = await self.store.fetch(partition, places)
        if self.times:
            self.times -= 1
            await self.meanwhile()
        return found


def interrupt(world: World, meanwhile: Callable[[], Awaitable[None]]) -> None:
    world.state._store = Interrupted(world.state._store, meanwhile)


# -- expiry between other steps -----------------------------------------------------------------


async def test_a_half_that_moves_to_the_store_while_another_is_fetched_is_still_reported() -> None:
    world = await started(overlay=Overlay(age_ms=0))
    write_prediction(world, A, 0)
    write_prediction(world, B, 1)
    await world.read()
    await world.keeper.checkpoint()  # the first is in the store, the second in memory
    write_prediction(world, C, 2)
    await world.read()
    interrupt(world, world.keeper.checkpoint)
    await world.state.expire(IDLE)
    assert world.unmatched() == {("no_label", 0), ("no_label", 1), ("no_label", 2)}


async def test_a_batch_that_is_applied_during_the_fetch_of_an_expiry_takes_nothing_from_it() -> (
    None
):
    world = await started(overlay=Overlay(age_ms=0))
    for at, id_ in enumerate((A, B, C)):
        write_prediction(world, id_, at)
    await world.read()
    write_prediction(world, B, 3)
    await world.read()
    await world.keeper.checkpoint()
    world.state._matcher.halves.fetched.update(
        await world.state._store.fetch(0, list(world.state._matcher.halves.stored.items())[:1])
    )  # as a `prepare` leaves it that is still waiting for more

    async def another_batch() -> None:
        write_label(world, C, 5)
        await world.read()

    interrupt(world, another_batch)
    await world.state.expire(IDLE)
    assert world.joined() == {(2, 0)}
    assert world.unmatched() == {("no_label", 0), ("no_label", 1)}


async def test_a_half_that_was_joined_during_the_fetch_is_not_reported() -> None:
    world = await started(overlay=Overlay(age_ms=0))
    write_prediction(world, A, 0)
    write_prediction(world, B, 1)
    await world.read()
    await world.keeper.checkpoint()

    async def its_label() -> None:
        write_label(world, A, 5)
        await world.read()

    interrupt(world, its_label)
    await world.state.expire(IDLE)
    assert world.joined() == {(0, 0)}
    assert world.unmatched() == {("no_label", 1)}


async def test_a_half_that_somebody_deleted_from_the_store_ends_nothing() -> None:
    world = await started(overlay=Overlay(age_ms=0))
    write_prediction(world, A, 0)
    write_prediction(world, B, 1)
    await world.read()
    await world.keeper.checkpoint()
    world.joins.partitions[0].halves.clear()
    write_label(world, A, 2)
    await world.read()
    await world.state.expire(IDLE)
    assert world.joined() == set()
    assert ("no_prediction", 0) in world.unmatched()


async def test_expiry_is_skipped_while_the_store_is_away_and_loses_nothing() -> None:
    world = await started(overlay=Overlay(age_ms=0))
    write_prediction(world, A, 0)
    write_prediction(world, B, 1)
    await world.read()
    await world.keeper.checkpoint()
    world.joins.away = True
    with pytest.raises(StoreUnavailableError):
        await world.state.expire(IDLE)
    world.joins.away = False
    await world.state.expire(IDLE)
    assert world.unmatched() == {("no_label", 0), ("no_label", 1)}


# -- the edges of the horizon -------------------------------------------------------------------


@pytest.mark.parametrize(("apart", "joins"), [(HORIZON, True), (HORIZON + 1, False)])
@pytest.mark.parametrize("label_first", [True, False])
async def test_a_pair_joins_up_to_the_horizon_and_not_beyond(
    apart: int, joins: bool, label_first: bool
) -> None:
    world = await started()
    write_prediction(world, A, apart if label_first else 0)
    write_label(world, A, 0 if label_first else apart)
    for tp in (LABELS_TP, PREDICTIONS_TP) if label_first else (PREDICTIONS_TP, LABELS_TP):
        await world.read(tp)
    assert world.joined() == ({(0, 0)} if joins else set())
    await world.finish()
    assert len(world.unmatched()) == (0 if joins else 2)


async def test_a_half_is_reported_only_when_the_other_topics_time_is_past_the_grace() -> None:
    world = await started()
    write_prediction(world, A, 0)
    write_label(world, B, DUE - 1)
    await world.read()
    idle = {PREDICTIONS_TP.topic: START + DUE}
    await world.state.expire(idle)
    assert world.unmatched() == set()
    write_label(world, B, DUE)
    await world.read()
    await world.state.expire(idle)
    assert world.unmatched() == {("no_label", 0)}


@pytest.mark.parametrize("behind", ["predictions", "labels"])
async def test_a_repeat_that_is_read_late_is_known_though_the_other_topic_ran_ahead(
    behind: str,
) -> None:
    """A backlog of one topic, and the other one read to its end: its time is the clock."""
    world = await started()
    ahead = LABELS_TP if behind == "predictions" else PREDICTIONS_TP
    for at in (0, 10):
        if behind == "predictions":
            write_prediction(world, A, at)
        else:
            write_label(world, A, at)
    await world.read(most=1)
    await world.state.expire({ahead.topic: FAR})
    assert world.unmatched() == set()
    await world.read()
    await world.finish()
    assert len(world.unmatched()) == 1
    assert [n for n, *_ in world.counts().values()] == ([1] if behind == "predictions" else [])


async def test_joined_wins_over_unmatched_when_the_clock_gave_up_too_early() -> None:
    world = await started()
    write_prediction(world, A, 0)
    await world.read()
    await world.state.expire({LABELS_TP.topic: START + DUE, PREDICTIONS_TP.topic: START + DUE})
    write_label(world, A, HORIZON)
    await world.read()
    assert world.unmatched() == {("no_label", 0)}
    assert world.joined() == {(0, 0)}


# -- restarts -----------------------------------------------------------------------------------


async def test_waiting_labels_expire_in_time_after_a_restart_whatever_order_the_store_gives() -> (
    None
):
    world = await started()
    for at, id_ in [(0, A), (0, B), (5_000, C)]:
        write_label(world, id_, at)
    await world.read()
    await world.keeper.checkpoint()
    kept = world.joins.partitions[0]
    kept.labels = dict(reversed(kept.labels.items()))
    await world.start()
    await world.state.expire({PREDICTIONS_TP.topic: START + DUE})
    assert world.unmatched() == {("no_prediction", 0), ("no_prediction", 1)}


async def test_a_repeat_is_still_known_after_a_restart_when_labels_ran_ahead() -> None:
    world = await started(window=3_000)
    write_prediction(world, A, 0)
    write_label(world, A, 1)
    write_label(world, B, 50_000)  # the labels' time is far ahead of the predictions'
    await world.read()
    await world.state.expire({})
    await world.keeper.checkpoint()
    write_label(world, B, 50_001, "no")
    await world.read(LABELS_TP)
    await world.keeper.checkpoint()
    await world.start()
    write_prediction(world, A, 2_000)
    await world.read()
    await world.finish()
    assert ("no_label", 1) not in world.unmatched()
    assert [n for n, *_ in world.counts().values()] == [1]


async def test_a_cut_is_frozen_though_reading_goes_on_before_it_is_saved() -> None:
    world = await started()
    write_prediction(world, A, 0)
    await world.read()
    world.joins.away = True
    await world.keeper.checkpoint()
    write_prediction(world, B, 9_000)
    await world.read()
    world.joins.away = False
    await world.keeper.checkpoint()
    await world.start()
    assert world.state.time(PREDICTIONS_TP.topic) == START


async def test_what_is_gone_from_the_log_does_not_keep_a_restart_from_saving() -> None:
    world = await started()
    for at, id_ in enumerate((A, B, C)):
        write_prediction(world, id_, at)
    await world.read()
    await world.keeper.checkpoint()
    world.reader.delete_before(PREDICTIONS_TP, 2)
    await world.start()
    assert not world.state.ready()
    await world.read()
    await world.read()
    assert world.state.ready()


async def test_everything_old_moves_to_the_store_though_nothing_new_arrives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(snapshot, "MOVED_PER_CHECKPOINT", 10)
    monkeypatch.setattr("driftline.joiner.state.MOVED_PER_CHECKPOINT", 10)
    world = await started(overlay=Overlay(age_ms=0))
    for id_ in islice(ids_here(), 35):
        write_prediction(world, id_, 0)
    write_prediction(world, "id-0", 1)
    await world.read()
    write_prediction(world, next(islice(ids_here(), 40, 41)), 1)
    await world.read()
    await world.keeper.checkpoint()
    assert len(world.joins.partitions[0].halves) == 35


# -- a store that came back empty ---------------------------------------------------------------


async def test_what_came_due_shortly_before_the_store_was_lost_is_reported_after_the_rebuild() -> (
    None
):
    world = await started()
    write_prediction(world, A, 0)
    write_label(world, B, DUE)
    write_prediction(world, C, DUE)
    await world.read()
    await world.keeper.checkpoint()  # committed, and not expired yet
    world.lose_store()
    await world.start()
    for _ in range(3):
        await world.read(most=1)
        await world.state.expire({})
    await world.finish()
    assert ("no_label", 0) in world.unmatched()


async def test_what_was_reported_long_ago_is_not_reported_again_by_a_rebuild() -> None:
    world = await started()
    write_prediction(world, A, 0)
    write_label(world, B, 700_000)
    write_prediction(world, C, 700_000)
    write_prediction(world, B, 700_001)
    await world.read()
    await world.state.expire({})
    await world.keeper.checkpoint()
    assert world.unmatched() == {("no_label", 0)}
    world.lose_store()
    await world.start()
    since = len(world.outputs.records)
    write_label(world, C, 700_001)
    for _ in range(3):  # faster than expiry: it runs only when the rebuild is over
        await world.read(most=1)
    await world.state.expire({})
    assert world.unmatched(since) == set()
    assert world.joined(since) == {(1, 1)}


async def test_a_crash_in_the_middle_of_a_rebuild_stays_silent() -> None:
    world = await started()
    for at, id_ in enumerate((A, B, C)):
        write_prediction(world, id_, at)
        write_label(world, id_, at + 5)
    await world.read_all()
    await world.keeper.checkpoint()
    world.joins = MemoryJoins()
    await world.start()
    since = len(world.outputs.records)
    await world.read(most=2)
    await world.keeper.checkpoint()
    assert world.reader.commits == {PREDICTIONS_TP: 3, LABELS_TP: 3}
    await world.start()
    await world.read_all()
    await world.keeper.checkpoint()
    assert world.joined(since) == set()


# -- values -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("literal", "place"),
    [("7", 2), ("18446744073709551616", 4), ("-9223372036854775809", 4), ("9" * 5_000, 4),
     ("18446744073709551615", 2), ("1e30", 2), ("-1e30", 0), ("true", 4), ('"7"', 4), ("null", 3)],
    ids=str,
)  # fmt: skip
async def test_a_feature_counts_in_its_bin_and_an_integer_over_64_bit_as_invalid(
    literal: str, place: int
) -> None:
    if len(literal) > 400 and literal.isdigit():
        literal = "9" * 300  # orjson refuses what no float can hold: the event is no JSON
    world = await started()
    raw = prediction(A).replace(b'"x":0.5', b'"x":' + literal.encode())
    world.reader.append(PREDICTIONS_TP, raw, timestamp=START)
    await world.read()
    world.state.send_counts()
    ((_, _, *vector),) = world.counts().values()
    assert vector.index(1) == place
    assert sum(vector) == 1


async def test_counts_that_were_committed_unsent_are_sent_at_the_end_of_a_rebuild() -> None:
    world = await started()
    for at, id_ in enumerate((A, B, C)):
        write_prediction(world, id_, at)
    write_prediction(world, C, 3)  # a repeat: nothing new to count where the silence ends
    await world.read()
    await world.keeper.checkpoint()
    world.lose_store()
    await world.start()
    for _ in range(4):
        await world.read(most=1)
        world.state.send_counts()  # silent but for the last one
    assert [n for n, *_ in world.counts().values()] == [3]


async def test_dead_letters_of_committed_records_are_not_written_again_by_a_rebuild() -> None:
    world = await started()
    for tp in (PREDICTIONS_TP, LABELS_TP):
        world.reader.append(tp, b"{", timestamp=START)
    await world.read()
    await world.keeper.checkpoint()
    world.lose_store()
    await world.start()
    since = len(world.outputs.records)
    for tp in (PREDICTIONS_TP, LABELS_TP):
        world.reader.append(tp, b"[]", timestamp=START + 1)
    await world.read_all()
    assert {(offset, reason) for _, offset, reason in world.dead(since)} == {(1, "not_an_object")}


async def test_a_checkpoint_stands_where_it_stood_while_a_restart_reads_again() -> None:
    world = await started()
    for at, id_ in enumerate((A, B, C)):
        write_prediction(world, id_, at)
    for id_ in (B, C):
        write_label(world, id_, 5)
    await world.read()
    await world.keeper.checkpoint()  # the first waits in memory, the others are joined
    await world.start()
    await world.read(most=1)
    assert world.state.ready()
    write_label(world, "id-0", 6)
    await world.read(LABELS_TP)
    await world.keeper.checkpoint()
    assert world.joins.partitions[0].offsets == {PREDICTIONS_TP.topic: 3, LABELS_TP.topic: 3}
    await world.start()
    await world.finish()
    assert [n for n, *_ in world.counts().values()] == [3]
