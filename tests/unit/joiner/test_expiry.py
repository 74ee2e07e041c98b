"""When is a half given up: while other steps go on, and at the edges of the horizon?"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from driftline.core.joining.halves import Half, Place
from driftline.joiner.snapshot import Overlay
from driftline.runtime.ports import StoreUnavailableError
from tests.unit.joiner.worlds import (
    DUE,
    FAR,
    HORIZON,
    IDLE,
    LABELS_TP,
    PREDICTIONS_TP,
    START,
    A,
    B,
    C,
    World,
    started,
    write_label,
    write_prediction,
)


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
