"""A partition that is opened again, with what its store kept, and without."""

from itertools import islice

import pytest

from driftline.joiner import snapshot
from driftline.joiner.memory import MemoryJoins
from driftline.joiner.snapshot import Overlay
from tests.unit.joiner.worlds import (
    DUE,
    LABELS_TP,
    PREDICTIONS_TP,
    START,
    A,
    B,
    C,
    ids_here,
    started,
    write_label,
    write_prediction,
)


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
