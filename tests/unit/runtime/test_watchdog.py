"""Does a process that is of no use any more end, and no other?"""

import pytest

from driftline.runtime.claims import ServiceFailureError
from driftline.runtime.keeper import Keeper
from driftline.runtime.watchdog import FROZEN_MS, STUCK_MS, UNCOMMITTED_MS, Watchdog
from tests.unit.runtime.worlds import CountingState, World, started

STEP = 10_000


class Watched:
    """A process that has one more record to read than it has read, and its watchdog."""

    def __init__(self, world: World, keeper: Keeper[bytes]) -> None:
        self.world = world
        self.keeper = keeper
        self.dog = Watchdog(keeper, world.clock)

    @classmethod
    async def begin(cls, world: World) -> "Watched":
        keeper = await started(world)
        await keeper.checkpoint()
        world.write([b"a"])
        return cls(world, keeper)

    async def stand_still(self, milliseconds: int, step: int = STEP) -> None:
        """Nothing is read; checkpoints go on."""
        for _ in range(milliseconds // step):
            self.world.clock.advance(step)
            await self.keeper.checkpoint()
            self.dog.check()


async def test_records_that_nobody_reads_end_the_process() -> None:
    watched = await Watched.begin(World())
    await watched.stand_still(STUCK_MS)
    with pytest.raises(ServiceFailureError, match="none was applied for two minutes"):
        await watched.stand_still(STEP)


async def test_a_record_that_comes_after_an_idle_night_is_given_its_time() -> None:
    watched = await Watched.begin(World())
    await watched.world.read(watched.keeper)
    await watched.stand_still(12 * 3_600_000)
    watched.world.write([b"a"])
    await watched.stand_still(STUCK_MS - STEP)
    await watched.world.read(watched.keeper)
    await watched.stand_still(STUCK_MS + STEP)


async def test_work_that_gets_on_is_not_stuck() -> None:
    watched = await Watched.begin(World())
    state = watched.keeper.states[0]
    assert isinstance(state, CountingState)
    for _ in range(50):
        state.worked_at = watched.world.clock.now()
        await watched.stand_still(STEP)


async def test_a_process_that_cannot_save_waits_for_its_store_and_reads_nothing() -> None:
    world = World()
    keeper = await started(world)
    world.outputs.confirming = False
    watched = Watched(world, keeper)
    world.write([b"a"])
    await watched.stand_still(UNCOMMITTED_MS)
    with pytest.raises(ServiceFailureError, match="no checkpoint for an hour"):
        await watched.stand_still(STEP)


async def test_a_process_that_was_frozen_has_its_time_anew() -> None:
    watched = await Watched.begin(World())
    await watched.stand_still(FROZEN_MS + STUCK_MS, step=FROZEN_MS + STUCK_MS)
    await watched.stand_still(STUCK_MS)


async def test_commits_that_are_refused_for_an_hour_end_the_process() -> None:
    world = World()
    keeper = await started(world)
    world.reader.refusing_commits = True
    watched = Watched(world, keeper)
    await watched.stand_still(UNCOMMITTED_MS)
    with pytest.raises(ServiceFailureError, match="no checkpoint for an hour"):
        await watched.stand_still(STEP)
