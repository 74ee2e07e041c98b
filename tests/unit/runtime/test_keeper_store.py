"""A store that lost its states or does not answer: they are rebuilt silently, or waited for."""

import asyncio

import pytest

from driftline.runtime.keeper import ServiceFailureError
from driftline.runtime.memory import MemoryStateStore
from driftline.runtime.ports import TP, Claim
from tests.unit.runtime.worlds import OUT, L, P, World, both, seen, started, stored

TP0 = TP(P, 0)


async def test_a_lost_state_is_rebuilt_silently_up_to_the_committed_offsets() -> None:
    world = World()
    keeper = await started(world)
    await keeper.checkpoint()
    world.store = MemoryStateStore()
    world.write([b"a", b"a"])
    successor = world.process()
    await world.assign(successor)
    await world.read(successor)
    assert seen(successor) == [0, 1, 2, 3, 4]
    assert [line.split()[2] for line in world.written()] == ["0", "1", "2", "3", "4"]


async def test_a_rebuild_never_takes_committed_offsets_back_and_stays_silent_after_a_crash() -> (
    None
):
    world = World()
    keeper = await started(world, values=6)
    await keeper.checkpoint()
    world.store = MemoryStateStore()
    first = world.process()
    await world.assign(first)
    await world.read(first, polls=1, most=2)
    await first.checkpoint()
    assert world.reader.commits == {TP0: 6}
    assert stored(world) == [0, 1]
    second = world.process()
    await world.assign(second)
    await world.read(second)
    assert seen(second) == [0, 1, 2, 3, 4, 5]
    assert len(world.written()) == 6


async def test_a_state_older_than_the_commits_is_brought_up_to_date_silently() -> None:
    world = World()
    keeper = await started(world)
    await keeper.checkpoint()
    assert world.store is not None
    old = dict(world.store.states)
    world.write([b"a"])
    await world.read(keeper)
    await keeper.checkpoint()
    world.store.states = old  # Redis came back with what its disk had
    successor = world.process()
    await world.assign(successor)
    await world.read(successor)
    assert seen(successor) == [0, 1, 2, 3]
    assert len(world.written()) == 4


async def test_without_a_store_the_committed_offsets_lead() -> None:
    world = World(store=None)
    keeper = await started(world)
    await keeper.checkpoint()
    world.write([b"a"])
    successor = world.process()
    await world.assign(successor)
    await world.read(successor)
    assert seen(successor) == [3]


async def test_a_recreated_topic_stops_the_service_with_one_sentence() -> None:
    world = World()
    keeper = await started(world)
    await keeper.checkpoint()
    world.topic_ids = {P: "id-p", L: "another"}
    with pytest.raises(ServiceFailureError, match="topic labels was deleted and created again"):
        await world.assign(world.process())


class Recovering(MemoryStateStore[bytes]):
    """Does not answer the first claims."""

    failures = 3

    async def claim(self, partition: int, mine: int | None) -> Claim[bytes]:
        self.away = Recovering.failures > 0
        Recovering.failures -= 1
        return await MemoryStateStore.claim(self, partition, mine)


async def test_an_assignment_waits_for_the_store() -> None:
    Recovering.failures = 3
    world = World(store=Recovering())
    keeper = await started(world)
    assert seen(keeper) == [0, 1, 2]


async def test_an_assignment_gives_up_after_a_minute() -> None:
    world = World()
    assert world.store is not None
    world.store.away = True
    keeper = world.process()
    waiting = asyncio.create_task(world.assign(keeper))
    await asyncio.sleep(0)
    world.clock.advance(61_000)
    with pytest.raises(ServiceFailureError, match="does not answer"):
        await waiting


async def test_a_revoke_ends_an_assignment_that_waits_for_the_store() -> None:
    world = World()
    assert world.store is not None
    world.store.away = True
    keeper = world.process()
    waiting = asyncio.create_task(keeper.assign(both(0)))
    await asyncio.sleep(0)
    await keeper.checkpoint(release=True)
    assert await waiting == {}
    assert keeper.owned == frozenset()


async def test_still_owned_is_what_the_store_says() -> None:
    world = World()
    keeper = world.process()
    await world.assign(keeper, both(0, 1))
    assert await keeper.still_owned() == {0, 1}
    assert world.store is not None
    await world.store.claim(1, None)
    assert await keeper.still_owned() == {0}
    assert world.outputs.of(OUT) == []
