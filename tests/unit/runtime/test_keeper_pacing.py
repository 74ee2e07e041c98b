"""States that are costly to save, and work that takes long before a record."""

from driftline.runtime.keeper import Keeper
from tests.unit.runtime.worlds import CountingState, World, stored


async def started(world: World) -> tuple[Keeper[bytes], CountingState]:
    world.write([b"a"] * 3)
    keeper = world.process()
    await world.assign(keeper)
    await world.read(keeper)
    state = keeper.states[0]
    assert isinstance(state, CountingState)
    return keeper, state


async def test_a_checkpoint_that_is_not_due_is_put_off_and_taken_when_all_is_given_up() -> None:
    world = World()
    keeper, state = await started(world)
    state.is_due = False
    await keeper.checkpoint()
    assert (stored(world), world.reader.commits) == ([], {})
    await keeper.checkpoint(release=True)
    assert stored(world) == [0, 1, 2]


async def test_long_work_before_a_record_counts_as_progress() -> None:
    world = World()
    world.clock.millis = 1_000
    keeper, state = await started(world)
    assert keeper.progress_at == 1_000
    state.worked_at = 5_000
    assert keeper.progress_at == 5_000
