"""The keeper applies every record once, in order, whatever the consumer hands over."""

import pytest

from driftline.runtime import applying, metrics, saving
from driftline.runtime.keeper import ServiceFailureError
from driftline.runtime.memory import MemoryRecord
from driftline.runtime.ports import TP, StoreUnavailableError
from tests.unit.runtime.worlds import L, P, World, both, seen, started, stored

TP0 = TP(P, 0)


def lost(topic: str = P) -> float:
    return float(metrics.RECORDS_LOST.labels(topic)._value.get())


async def test_records_are_applied_once_and_in_order() -> None:
    world = World()
    world.write([b"a", b"b", b"c"])
    keeper = world.process()
    await world.assign(keeper)
    await world.read(keeper)
    assert seen(keeper) == [0, 1, 2]
    assert keeper.lag(TP0) == 0


async def test_replayed_offsets_are_filtered() -> None:
    world = World()
    world.write([b"a", b"b", b"c", b"d"])
    keeper = world.process()
    await world.assign(keeper)
    await world.read(keeper)
    again = world.reader.logs[TP0][1:]
    await keeper.process({TP0}, {TP0: [*again, MemoryRecord(4, 0, None, b"e")]})
    assert seen(keeper) == [0, 1, 2, 3, 4]


async def test_a_dropped_fetch_is_asked_for_again_and_nothing_is_missing() -> None:
    world = World()
    world.write([b"a", b"b", b"c"])
    keeper = world.process()
    await world.assign(keeper)
    world.reader.poll([TP0], most=2)  # a batch that a rebalance threw away
    before = lost()
    await world.read(keeper)
    assert seen(keeper) == [0, 1, 2]
    assert world.reader.sought == [(TP0, 0)]
    assert lost() == before


async def test_a_true_hole_is_asked_for_once_then_counted() -> None:
    world = World()
    world.write([b"a"])
    world.reader.append(TP0, b"z", timestamp=0, offset=5)
    keeper = world.process()
    await world.assign(keeper)
    before = lost()
    await world.read(keeper, most=1)
    assert seen(keeper) == [0, 5]
    assert world.reader.sought == [(TP0, 1)]
    assert lost() - before == 4


async def test_a_partition_whose_beginning_is_gone_starts_there_and_counts_nothing_lost() -> None:
    world = World()
    world.write([b"a", b"b", b"c"])
    world.reader.delete_before(TP0, 2)
    keeper = world.process()
    before = lost()
    await world.assign(keeper)
    assert world.reader.positions[TP0] == 2
    await world.read(keeper)
    assert seen(keeper) == [2]
    assert lost() == before


async def test_partitions_are_applied_by_append_time_even_when_a_poll_is_filled_by_one() -> None:
    world = World(lead_ms=1_000)
    order: list[tuple[str, int]] = []
    for second in range(20):
        world.clock.millis = second * 1_000
        world.write([b"a"], topic=P)
        world.write([b"a"], topic=L)
    keeper = world.process()
    await world.assign(keeper)
    asked = keeper.wanted(set(world.reader.positions))
    await keeper.process(asked, world.reader.poll([TP0]))  # the other one is not there yet
    assert seen(keeper) == [0, 1]  # at most a second ahead
    await world.read(keeper)
    state = keeper.states[0]
    order = state.seen  # type: ignore[attr-defined]  # the state of these tests
    assert len(order) == 40
    ahead = [
        abs(i - j) for i, (_, o) in enumerate(order) for j, (_, q) in enumerate(order) if o == q
    ]
    assert max(ahead) <= 5


async def test_a_partition_that_gives_nothing_does_not_hold_the_others_back() -> None:
    world = World(lead_ms=1_000)
    for second in range(10):
        world.clock.millis = second * 1_000
        world.write([b"a"], topic=P)
    world.write([b"a"], topic=L)
    keeper = world.process()
    await world.assign(keeper)
    del world.reader.positions[TP(L, 0)]  # paused, or its leader is away: lag, and no records
    for _ in range(5):
        asked = keeper.wanted(both(0))
        await keeper.process(asked, world.reader.poll(asked))
    assert seen(keeper) == list(range(10))


async def test_a_poison_record_gives_exactly_one_dead_letter_and_leaves_no_trace_in_the_state() -> (
    None
):
    world = World()
    world.write([b"a", b"bad", b"c", b"d"])
    keeper = world.process()
    await world.assign(keeper)
    await world.read(keeper)
    assert seen(keeper) == [0, 2, 3]
    assert world.dead() == ["predictions 0 1"]
    await keeper.checkpoint()
    assert stored(world) == [0, 2, 3]
    assert world.reader.commits[TP0] == 4


async def test_two_poison_records_are_both_isolated_though_the_first_is_replayed() -> None:
    world = World()
    world.write([b"bad", b"bad", b"c"])
    keeper = world.process()
    await world.assign(keeper)
    await world.read(keeper)
    assert seen(keeper) == [2]
    assert world.dead() == ["predictions 0 0", "predictions 0 1"]


async def test_a_handler_that_fails_on_everything_stops_the_process() -> None:
    world = World()
    world.write([b"bad"] * (applying.MAX_POISON_RUN + 1))
    keeper = world.process()
    await world.assign(keeper)
    with pytest.raises(ServiceFailureError, match="in a row"):
        await world.read(keeper, polls=1_000)


async def test_poison_records_among_good_ones_never_stop_the_process() -> None:
    world = World()
    world.write([b"bad", b"good"] * (applying.MAX_POISON_RUN + 2))
    keeper = world.process()
    await world.assign(keeper)
    for _ in range(3 * applying.MAX_POISON_RUN):
        await world.read(keeper, polls=2)
        await keeper.checkpoint()
    assert len(world.dead()) == applying.MAX_POISON_RUN + 2
    assert keeper.lag(TP0) == 0


async def test_the_other_partitions_go_on_while_one_is_isolated() -> None:
    world = World()
    world.write([b"bad"], partition=0)
    world.write([b"a"], partition=1)
    keeper = world.process()
    await world.assign(keeper, both(0, 1))
    await world.read(keeper)
    assert (seen(keeper, 0), seen(keeper, 1)) == ([], [0])


async def test_records_are_read_again_when_prepare_finds_the_store_away() -> None:
    world = World()
    world.write([b"a", b"b"])
    keeper = world.process()
    await world.assign(keeper)
    tries = iter([True, True, False])

    async def away() -> None:
        if next(tries, False):
            raise StoreUnavailableError("away")

    world.during_prepare = away
    await world.read(keeper)
    assert seen(keeper) == [0, 1]
    assert world.dead() == []


async def test_a_revoke_in_the_middle_of_prepare_applies_nothing() -> None:
    world = World()
    world.write([b"a"])
    keeper = world.process()
    await world.assign(keeper)

    async def revoked() -> None:
        world.during_prepare = None
        await keeper.checkpoint(release=True)

    world.during_prepare = revoked
    await world.read(keeper, polls=1)
    assert seen(keeper) == []
    await world.assign(keeper)
    await world.read(keeper)
    assert seen(keeper) == [0]


async def test_a_revoke_and_a_new_assignment_in_the_middle_of_prepare_apply_once() -> None:
    world = World()
    world.write([b"a", b"b"])
    keeper = world.process()
    await world.assign(keeper)

    async def rebalance() -> None:
        world.during_prepare = None
        await keeper.checkpoint(release=True)
        await world.assign(keeper)
        raise StoreUnavailableError("and the store went away, too")

    world.during_prepare = rebalance
    await world.read(keeper)
    assert seen(keeper) == [0, 1]


async def test_a_partition_lost_while_prepare_waits_for_the_store_does_not_end_the_process() -> (
    None
):
    world = World()
    world.write([b"a"], partition=0)
    keeper = world.process()
    await world.assign(keeper)

    async def moved_away() -> None:
        world.during_prepare = None
        await keeper.checkpoint(release=True)
        await world.assign(keeper, both(1))
        raise StoreUnavailableError("away")

    world.during_prepare = moved_away
    await world.read(keeper)
    assert world.reader.sought == []


async def test_nothing_is_read_while_a_checkpoint_is_overdue() -> None:
    world = World()
    world.write([b"a"])
    keeper = world.process()
    await world.assign(keeper)
    await world.read(keeper)
    assert world.store is not None
    world.store.away = True
    await keeper.checkpoint()
    world.clock.advance(saving.MAX_UNSAVED_MS + 1)
    assert keeper.wanted(both(0)) == set()
    world.store.away = False
    await keeper.checkpoint()
    assert keeper.wanted(both(0)) == set(both(0))


async def test_what_was_read_is_applied_only_when_its_outputs_find_room() -> None:
    world = World()
    keeper = await started(world)
    world.outputs.is_full = True
    world.write([b"a", b"a"])
    await keeper.process(both(0), world.reader.poll(both(0)))
    assert seen(keeper) == [0, 1, 2]
    assert keeper.wanted(both(0)) == set()
    world.outputs.is_full = False
    await keeper.process((), {})
    assert seen(keeper) == [0, 1, 2, 3, 4]


async def test_a_partition_of_one_topic_without_its_twin_is_not_owned() -> None:
    """As Faust assigns while the broker does not know a topic yet."""
    keeper = World().process()
    assert keeper.whole({TP(P, 0), TP(P, 1), TP(L, 1)}) == {TP(P, 1), TP(L, 1)}
