"""States that work in a thread: what happens meanwhile loses nothing and doubles nothing."""

import asyncio
from dataclasses import dataclass, field

import pytest

from driftline.runtime.keeper import Keeper
from driftline.runtime.ports import TP
from tests.unit.runtime.worlds import P, World, seen, started, stored

TP0 = TP(P, 0)


@dataclass
class Work:
    """What a state does in its thread: it begins, and ends once it is let."""

    begun: asyncio.Event = field(default_factory=asyncio.Event)
    end: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self) -> None:
        self.begun.set()
        await self.end.wait()


async def turn() -> None:
    """Let everything come as far as it can."""
    for _ in range(30):
        await asyncio.sleep(0)


async def applying(world: World, *values: bytes) -> tuple[Keeper[bytes], Work, asyncio.Task[None]]:
    """A process whose state is half way through the records of one poll."""
    world.write(values)
    keeper = world.process()
    await world.assign(keeper)
    work = world.during_work = Work()
    reading = asyncio.create_task(world.read(keeper, polls=1))
    await work.begun.wait()
    return keeper, work, reading


async def test_a_checkpoint_waits_for_the_records_that_are_being_applied() -> None:
    world = World()
    keeper, work, reading = await applying(world, b"a", b"b", b"c")
    timer = asyncio.create_task(keeper.checkpoint())
    await turn()
    assert not timer.done()
    work.end.set()
    await asyncio.gather(reading, timer)
    assert (stored(world), world.reader.commits) == ([0, 1, 2], {TP0: 3})


async def test_a_revoke_meanwhile_saves_what_was_applied_and_the_next_owner_goes_on() -> None:
    world = World()
    keeper, work, reading = await applying(world, b"a", b"b", b"c")
    revoke = asyncio.create_task(keeper.checkpoint(release=True))
    await turn()
    assert keeper.owned == frozenset()
    work.end.set()
    await asyncio.gather(reading, revoke)
    assert (stored(world), world.reader.commits) == ([0, 1, 2], {TP0: 3})
    world.write([b"d"])
    successor = world.process()
    await world.assign(successor)
    await world.read(successor)
    assert seen(successor) == [0, 1, 2, 3]
    assert len(world.written()) == 4


async def test_memory_that_is_kept_through_a_rebalance_holds_what_was_applied_meanwhile() -> None:
    world = World()
    keeper, work, reading = await applying(world, b"a", b"b", b"c")
    state = keeper.states[0]
    world.outputs.confirming = False  # so that the release saves nothing
    revoke = asyncio.create_task(keeper.checkpoint(release=True))
    await turn()
    work.end.set()
    await asyncio.gather(reading, revoke)
    await world.assign(keeper)
    assert keeper.states[0] is state
    assert world.reader.positions[TP0] == 3
    world.outputs.confirming = True
    await keeper.checkpoint()
    assert stored(world) == [0, 1, 2]


async def test_an_assignment_that_does_not_wait_for_the_work_repeats_nothing() -> None:
    world = World()
    keeper, work, reading = await applying(world, b"a", b"b", b"c")
    revoke = asyncio.create_task(keeper.checkpoint(release=True))
    await turn()
    await world.assign(keeper)
    assert world.reader.positions[TP0] == 0
    work.end.set()
    await asyncio.gather(reading, revoke)
    await world.read(keeper)
    assert seen(keeper) == [0, 1, 2]
    assert len(world.written()) == 3


async def test_a_record_that_raises_while_a_revoke_waits_leaves_nothing_half_changed() -> None:
    world = World()
    keeper, work, reading = await applying(world, b"a", b"bad", b"c")
    revoke = asyncio.create_task(keeper.checkpoint(release=True))
    await turn()
    work.end.set()
    await asyncio.gather(reading, revoke)
    assert (stored(world), world.reader.commits, world.dead()) == ([], {}, [])
    await world.assign(keeper)
    await world.read(keeper)
    assert (seen(keeper), world.dead()) == ([0, 2], ["predictions 0 1"])


async def test_a_record_that_raises_in_a_thread_becomes_a_dead_letter() -> None:
    world = World()
    keeper, work, reading = await applying(world, b"a", b"bad", b"c")
    timer = asyncio.create_task(keeper.checkpoint())
    await turn()
    work.end.set()
    await asyncio.gather(reading, timer)
    assert stored(world) == []
    await world.read(keeper)
    await keeper.checkpoint()
    assert (stored(world), world.dead()) == ([0, 2], ["predictions 0 1"])


async def test_work_that_is_cancelled_is_waited_for_and_noted() -> None:
    world = World()
    keeper, work, reading = await applying(world, b"a", b"b", b"c")
    for _ in range(2):
        reading.cancel()
        await turn()
    assert not reading.done()
    work.end.set()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await keeper.checkpoint(release=True)
    assert (stored(world), world.reader.commits) == ([0, 1, 2], {TP0: 3})


async def test_what_another_owner_saved_meanwhile_stays() -> None:
    world = World()
    keeper, work, reading = await applying(world, b"a", b"b", b"c")
    world.during_work = None
    successor = world.process()
    await world.assign(successor)
    await world.read(successor)
    await successor.checkpoint()
    work.end.set()
    await reading
    world.reader.commits.clear()
    await keeper.checkpoint()
    assert (keeper.owned, world.reader.rejoins) == (frozenset(), 1)
    assert (stored(world), world.reader.commits) == ([0, 1, 2], {})


async def test_records_wait_while_the_state_is_cut_and_no_longer() -> None:
    world = World()
    keeper = await started(world, 2)
    hold = world.outputs.hold = asyncio.Event()
    work = world.during_work = Work()
    timer = asyncio.create_task(keeper.checkpoint())
    await work.begun.wait()
    world.write([b"a"])
    reading = asyncio.create_task(world.read(keeper))
    await turn()
    assert seen(keeper) == [0, 1]
    work.end.set()
    await reading  # the broker has not confirmed the outputs yet
    assert seen(keeper) == [0, 1, 2]
    hold.set()
    await timer
    assert world.store is not None
    assert (stored(world), world.store.states[0].offsets[P]) == ([0, 1], 2)
    await keeper.checkpoint()
    assert stored(world) == [0, 1, 2]


async def test_a_checkpoint_that_is_cancelled_waits_for_its_thread() -> None:
    world = World()
    keeper = await started(world, 2)
    work = world.during_work = Work()
    timer = asyncio.create_task(keeper.checkpoint())
    await work.begun.wait()
    timer.cancel()
    world.write([b"a"])
    reading = asyncio.create_task(world.read(keeper))
    await turn()
    assert not timer.done()
    assert seen(keeper) == [0, 1]
    work.end.set()
    with pytest.raises(asyncio.CancelledError):
        await timer
    await reading
    await keeper.checkpoint()
    assert stored(world) == [0, 1, 2]


async def test_a_state_without_a_thread_is_applied_within_one_turn_of_the_loop() -> None:
    world = World()
    world.write([b"a", b"b"])
    keeper = world.process()
    await world.assign(keeper)
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    await asyncio.sleep(0)
    before = turns
    await keeper.process({TP0}, world.reader.poll([TP0]))
    assert (seen(keeper), turns - before) == ([0, 1], 1)  # the one that `process` gives others
    counting.cancel()
