"""Checkpoints: outputs, the store, Kafka; what fails in between loses and doubles nothing."""

import asyncio

from driftline.runtime.memory import MemoryStateStore
from driftline.runtime.ports import TP, Stored
from tests.unit.runtime.worlds import CountingState, L, P, World, both, seen, started, stored

TP0 = TP(P, 0)


async def test_a_checkpoint_saves_state_with_offsets_then_commits() -> None:
    world = World()
    keeper = await started(world)
    await keeper.checkpoint()
    assert stored(world) == [0, 1, 2]
    assert world.store is not None
    assert world.store.states[0].offsets == {P: 3, L: 0}
    assert world.store.states[0].topic_ids == {P: "id-p", L: "id-l"}
    assert world.reader.commits == {TP0: 3}


async def test_a_restart_goes_on_behind_the_checkpoint_and_repeats_what_was_not_saved() -> None:
    world = World()
    keeper = await started(world)
    await keeper.checkpoint()
    world.write([b"a", b"a"])
    await world.read(keeper)
    successor = world.process()
    await world.assign(successor)
    assert world.reader.positions[TP0] == 3
    await world.read(successor)
    assert seen(successor) == [0, 1, 2, 3, 4]
    assert len(world.written()) == 5 + 2


async def test_nothing_is_saved_while_outputs_are_unconfirmed() -> None:
    world = World()
    keeper = await started(world)
    world.outputs.confirming = False
    await keeper.checkpoint()
    assert (stored(world), world.reader.commits) == ([], {})
    world.outputs.confirming = True
    await keeper.checkpoint()
    assert stored(world) == [0, 1, 2]


async def test_lost_outputs_roll_back_and_are_written_again() -> None:
    world = World()
    keeper = await started(world)
    await keeper.checkpoint()
    world.write([b"a", b"a"])
    await world.read(keeper)
    world.outputs.losing = True
    await keeper.checkpoint()
    assert stored(world) == [0, 1, 2]
    assert seen(keeper) == [0, 1, 2]
    await world.read(keeper)
    await keeper.checkpoint()
    assert [line.split()[2] for line in world.written()] == ["0", "1", "2", "3", "4"]
    assert stored(world) == [0, 1, 2, 3, 4]


async def test_a_lost_dead_letter_is_written_again() -> None:
    world = World()
    world.write([b"a", b"bad", b"c"])
    keeper = world.process()
    await world.assign(keeper)
    await world.read(keeper)
    world.outputs.losing = True
    await keeper.checkpoint()
    assert world.dead() == []
    await world.read(keeper)
    await keeper.checkpoint()
    assert world.dead() == ["predictions 0 1"]
    assert stored(world) == [0, 2]


async def test_outputs_lost_on_revoke_are_never_saved_as_written() -> None:
    world = World()
    keeper = await started(world)
    world.outputs.losing = True
    await keeper.checkpoint(release=True)
    await keeper.checkpoint()  # the timer, before the next assignment
    assert stored(world) == []
    await world.assign(keeper)
    await world.read(keeper)
    await keeper.checkpoint()
    assert len(world.written()) == 3
    assert stored(world) == [0, 1, 2]


async def test_while_the_store_is_away_the_same_cut_is_tried_again() -> None:
    world = World()
    keeper = await started(world)
    assert world.store is not None
    world.store.away = True
    await keeper.checkpoint()
    world.write([b"a"])
    await world.read(keeper)
    await keeper.checkpoint()
    world.store.away = False
    await keeper.checkpoint()
    assert stored(world) == [0, 1, 2]
    assert world.store.states[0].offsets[P] == 3
    await keeper.checkpoint()
    assert stored(world) == [0, 1, 2, 3]


class HalfAway(MemoryStateStore[bytes]):
    """Answers for partition 0 only."""

    broken = True

    async def save(self, partition: int, token: int, state: Stored[bytes]) -> bool:
        self.away = self.broken and partition != 0
        try:
            return await MemoryStateStore.save(self, partition, token, state)
        finally:
            self.away = False


async def test_what_was_saved_is_committed_though_the_store_went_away_half_way() -> None:
    store = HalfAway()
    world = World(store=store)
    world.write([b"a"], partition=0)
    world.write([b"a"], partition=1)
    keeper = world.process()
    await world.assign(keeper, both(0, 1))
    await world.read(keeper)
    await keeper.checkpoint()
    assert (stored(world, 0), stored(world, 1)) == ([0], [])
    assert world.reader.commits == {TP0: 1}
    store.broken = False
    await keeper.checkpoint()
    assert world.reader.commits == {TP0: 1, TP(P, 1): 1}


async def test_a_refused_save_drops_the_partition_and_asks_for_a_true_share() -> None:
    world = World()
    frozen = await started(world)
    successor = world.process()
    await world.assign(successor)
    await world.read(successor)
    await successor.checkpoint()
    await frozen.checkpoint()
    assert frozen.owned == frozenset()
    assert 0 not in frozen.states
    assert world.reader.rejoins == 1
    assert stored(world) == [0, 1, 2]


async def test_a_worker_that_lost_a_partition_loads_what_its_successor_saved() -> None:
    world = World()
    frozen = await started(world)
    successor = world.process()
    await world.assign(successor)
    world.write([b"a"])
    await world.read(successor)
    await successor.checkpoint()
    await frozen.checkpoint(release=True)
    await world.assign(frozen)
    assert seen(frozen) == [0, 1, 2, 3]


async def test_memory_is_kept_when_nobody_else_claimed() -> None:
    world = World()
    keeper = await started(world)
    state = keeper.states[0]
    world.outputs.confirming = False  # so that the release saves nothing
    await keeper.checkpoint(release=True)
    assert keeper.owned == frozenset()
    await world.assign(keeper)
    assert keeper.states[0] is state
    assert world.reader.positions[TP0] == 3
    world.outputs.confirming = True
    await keeper.checkpoint()
    assert stored(world) == [0, 1, 2]


async def test_nothing_of_a_partition_is_saved_between_revoke_and_assignment() -> None:
    world = World()
    keeper = await started(world)
    world.outputs.confirming = False
    await keeper.checkpoint(release=True)
    world.outputs.confirming = True
    await keeper.checkpoint()
    assert stored(world) == []


async def test_memory_of_partitions_that_went_elsewhere_is_dropped() -> None:
    world = World()
    keeper = await started(world)
    await keeper.checkpoint(release=True)
    await world.assign(keeper, both(1))
    assert set(keeper.states) == {1}


async def test_a_state_that_is_not_ready_is_not_saved() -> None:
    world = World()
    keeper = await started(world)
    state = keeper.states[0]
    assert isinstance(state, CountingState)
    state.is_ready = False
    await keeper.checkpoint()
    assert stored(world) == []
    state.is_ready = True
    await keeper.checkpoint()
    assert stored(world) == [0, 1, 2]


async def test_a_half_changed_state_is_never_saved_by_a_revoke_that_waits_for_its_turn() -> None:
    """A checkpoint holds the lock; the revoke queues before the roll back does."""
    world = World()
    world.write([b"a"])
    keeper = world.process()
    await world.assign(keeper)
    await world.read(keeper)
    hold = world.outputs.hold = asyncio.Event()
    timer = asyncio.create_task(keeper.checkpoint())
    await asyncio.sleep(0)
    revoke: list[asyncio.Task[None]] = []

    async def revoked_meanwhile() -> None:
        world.during_prepare = None
        revoke.append(asyncio.create_task(keeper.checkpoint(release=True)))
        await asyncio.sleep(0)

    world.write([b"a", b"bad"])
    await world.read(keeper, polls=1, most=1)  # so that there is something to save
    world.during_prepare = revoked_meanwhile
    reading = asyncio.create_task(world.read(keeper, polls=1))
    for _ in range(20):
        await asyncio.sleep(0)
    hold.set()
    await asyncio.gather(timer, reading, *revoke)
    assert stored(world) == [0, 1]


async def test_a_roll_back_does_not_claim_what_was_revoked_meanwhile() -> None:
    world = World()
    world.write([b"bad"])
    keeper = world.process()
    await world.assign(keeper)
    assert world.store is not None
    world.write([b"a"], topic=L)
    world.reader.positions.pop(TP0)
    await world.read(keeper)
    world.reader.positions[TP0] = 0
    hold = world.outputs.hold = asyncio.Event()
    timer = asyncio.create_task(keeper.checkpoint())
    await asyncio.sleep(0)
    reading = asyncio.create_task(world.read(keeper, polls=1))
    for _ in range(20):
        await asyncio.sleep(0)
    revoke = asyncio.create_task(keeper.checkpoint(release=True))
    await asyncio.sleep(0)
    token = world.store.tokens[0]
    hold.set()
    await asyncio.gather(timer, reading, revoke)
    assert world.store.tokens[0] == token


async def test_a_cut_that_waits_for_the_store_is_dropped_by_a_roll_back() -> None:
    """The memory is older than the cut then: what changes from there on does not follow on it."""
    world = World()
    keeper = await started(world)
    assert world.store is not None
    world.store.away = True
    await keeper.checkpoint()
    world.store.away = False
    world.outputs.losing = True
    await keeper.checkpoint()
    await world.read(keeper, polls=1, most=1)
    await keeper.checkpoint()
    assert stored(world) == seen(keeper) == [0]


async def test_a_commit_that_failed_is_repeated_by_the_next_checkpoint() -> None:
    world = World()
    keeper = await started(world)
    world.reader.refusing_commits = True
    await keeper.checkpoint()
    assert (stored(world), world.reader.commits) == ([0, 1, 2], {})
    world.reader.refusing_commits = False
    await keeper.checkpoint()
    assert world.reader.commits == {TP0: 3}
