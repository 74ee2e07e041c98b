"""The port StateStore: the in-memory twins and Redis behave alike."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from driftline.core.joining.halves import Half
from driftline.joiner.memory import MemoryJoins, MemoryJoinStore
from driftline.joiner.store import JoinDelta, JoinStore, JoinWhole
from driftline.runtime.memory import MemoryStateStore
from driftline.runtime.ports import StateStore, Stored, StoreUnavailableError
from driftline.runtime.redis_states import RedisStates, connect
from driftline.servers import LocalServers

OFFSETS, IDS = {"predictions": 7, "labels": 5}, {"predictions": "a", "labels": "b"}
SERVERS = pytest.mark.integration


@dataclass(frozen=True, slots=True)
class Kept:
    """Stores of several processes on the same memory, and what they keep."""

    process: Callable[[], Any]
    state: Callable[[int], Stored[Any]]  # a number to a state
    read: Callable[[Any], int]  # and back


def whole(number: int) -> Stored[Any]:
    return Stored({**OFFSETS, "predictions": number}, IDS, b"%d" % number)


def delta(number: int) -> Stored[Any]:
    return Stored({**OFFSETS, "predictions": number}, IDS, JoinDelta(rest={"number": number}))


def number_of_whole(payload: Any) -> int:
    return int(payload)


def number_of_delta(payload: Any) -> int:
    assert isinstance(payload, JoinWhole)
    return int(payload.rest["number"])


@pytest.fixture(
    params=[
        "states in memory",
        pytest.param("states in Redis", marks=SERVERS),
        "joins in memory",
        pytest.param("joins in Redis", marks=SERVERS),
    ]
)
async def kept(request: pytest.FixtureRequest) -> AsyncIterator[Kept]:
    if request.param == "states in memory":
        states: MemoryStateStore[bytes] = MemoryStateStore()
        yield Kept(lambda: states, whole, number_of_whole)
    elif request.param == "joins in memory":
        joins = MemoryJoins()
        yield Kept(lambda: MemoryJoinStore(joins), delta, number_of_delta)
    else:
        client = connect(request.getfixturevalue("servers").redis_url)
        space = request.getfixturevalue("prefix")
        if request.param == "states in Redis":
            yield Kept(lambda: RedisStates(client, space), whole, number_of_whole)
        else:
            yield Kept(lambda: JoinStore(client, space), delta, number_of_delta)
        await client.aclose()


async def test_nothing_is_stored_at_first(kept: Kept) -> None:
    claim = await kept.process().claim(3, None)
    assert (claim.memory_is_current, claim.stored) == (False, None)


async def test_what_is_saved_is_found_by_the_next_owner(kept: Kept) -> None:
    first, second = kept.process(), kept.process()
    token = (await first.claim(3, None)).token
    assert await first.save(3, token, kept.state(7))
    assert await first.save(3, token, kept.state(8))
    stored = (await second.claim(3, None)).stored
    assert stored is not None
    assert (dict(stored.offsets), dict(stored.topic_ids)) == ({**OFFSETS, "predictions": 8}, IDS)
    assert kept.read(stored.payload) == 8


async def test_tokens_rise_and_an_older_one_is_refused(kept: Kept) -> None:
    first, second = kept.process(), kept.process()
    old = (await first.claim(3, None)).token
    new = (await second.claim(3, None)).token
    assert new > old
    assert not await first.save(3, old, kept.state(7))
    assert await second.save(3, new, kept.state(8))
    assert not await first.save(3, old, kept.state(9))


async def test_memory_is_current_when_nobody_else_claimed(kept: Kept) -> None:
    first, second = kept.process(), kept.process()
    token = (await first.claim(3, None)).token
    again = await first.claim(3, token)
    assert (again.memory_is_current, again.stored) == (True, None)
    await second.claim(3, None)
    assert not (await first.claim(3, again.token)).memory_is_current


async def test_a_save_goes_on_after_memory_was_kept(kept: Kept) -> None:
    store = kept.process()
    token = (await store.claim(3, None)).token
    assert await store.save(3, token, kept.state(1))
    token = (await store.claim(3, token)).token
    assert await store.save(3, token, kept.state(2))
    stored = (await kept.process().claim(3, None)).stored
    assert stored is not None
    assert kept.read(stored.payload) == 2


async def test_partitions_are_fenced_on_their_own(kept: Kept) -> None:
    first, second = kept.process(), kept.process()
    tokens = {p: (await first.claim(p, None)).token for p in (3, 4)}
    await second.claim(4, None)
    assert await first.still_owned(tokens) == {3}
    assert await first.still_owned({}) == set()
    assert await first.save(3, tokens[3], kept.state(1))
    assert not await first.save(4, tokens[4], kept.state(1))


# -- what only the joiner's stores do -----------------------------------------------------------

HALF = Half(11, 1_000, b'{"prediction_id":"a"}' * 20)
OTHER = Half(12, 900, b"other")
KEY, OTHER_KEY = 2**64 - 1, 5


@pytest.fixture(params=["memory", pytest.param("Redis", marks=SERVERS)])
async def joins(request: pytest.FixtureRequest) -> AsyncIterator[Callable[[], Any]]:
    if request.param == "memory":
        memory = MemoryJoins()
        yield lambda: MemoryJoinStore(memory)
    else:
        client = connect(request.getfixturevalue("servers").redis_url)
        space = request.getfixturevalue("prefix")
        yield lambda: JoinStore(client, space)
        await client.aclose()


def of(change: JoinDelta) -> Stored[Any]:
    return Stored(OFFSETS, IDS, change)


async def claimed(store: StateStore[Any]) -> int:
    return (await store.claim(0, None)).token


async def loaded(process: Callable[[], Any]) -> JoinWhole:
    stored = (await process().claim(0, None)).stored
    assert stored is not None
    payload = stored.payload
    assert isinstance(payload, JoinWhole)
    return payload


async def test_halves_come_back_by_their_place_oldest_first(joins: Callable[[], Any]) -> None:
    store = joins()
    token = await claimed(store)
    await store.save(0, token, of(JoinDelta(moved={KEY: HALF, OTHER_KEY: OTHER})))
    places = [(KEY, 1_000), (OTHER_KEY, 900), (6, 6), (KEY, 1_001)]
    assert await store.fetch(0, places) == {KEY: HALF, OTHER_KEY: OTHER}
    assert list((await loaded(joins)).stored.items()) == [(OTHER_KEY, 900), (KEY, 1_000)]


async def test_deltas_add_up(joins: Callable[[], Any]) -> None:
    store = joins()
    token = await claimed(store)
    await store.save(
        0, token, of(JoinDelta(moved={KEY: HALF, OTHER_KEY: OTHER}, labels={1: b"[1]", 2: b"[2]"}))
    )
    await store.save(
        0, token, of(JoinDelta(deleted=[(KEY, 1_000)], labels={1: None, 2: b"[3]", 3: b"[4]"}))
    )
    found = await loaded(joins)
    assert (dict(found.stored), dict(found.labels)) == ({OTHER_KEY: 900}, {2: b"[3]", 3: b"[4]"})


async def test_a_half_that_waits_again_in_the_place_of_a_deleted_one_stays(
    joins: Callable[[], Any],
) -> None:
    store = joins()
    token = await claimed(store)
    await store.save(0, token, of(JoinDelta(moved={KEY: HALF})))
    await store.save(0, token, of(JoinDelta(deleted=[(KEY, 1_000)], moved={KEY: HALF})))
    assert await store.fetch(0, [(KEY, 1_000)]) == {KEY: HALF}


async def test_remainders_are_kept_as_long_as_the_newest_of_their_blob(
    joins: Callable[[], Any],
) -> None:
    store = joins()
    token = await claimed(store)
    for until in (100, 200, 300):
        change = JoinDelta(remainders={until: b"r%d" % until, 7: b"x"}, remainders_until=until)
        await store.save(0, token, of(change))
    assert [key for key, _ in (await loaded(joins)).remainders] == [100, 7, 200, 7, 300, 7]
    store = joins()
    token = await claimed(store)
    await store.save(0, token, of(JoinDelta(remainders_since=200)))
    assert (await loaded(joins)).remainders[0] == (200, b"r200")


async def test_what_was_never_saved_to_the_end_is_cleared_by_a_claim(
    joins: Callable[[], Any],
) -> None:
    store = joins()
    await claimed(store)
    assert (await store.claim(0, None)).stored is None


async def test_a_delta_behind_a_state_that_was_restored_to_an_older_one_is_refused(
    joins: Callable[[], Any],
) -> None:
    """Two stores with one token: the second stands for a Redis that forgot the first's save."""
    first, second = joins(), joins()
    token = await claimed(first)
    second._sequence[0] = 3
    assert not await second.save(0, token, of(JoinDelta()))
    assert await first.save(0, token, of(JoinDelta()))


@SERVERS
async def test_a_save_whose_answer_was_lost_is_written_once(
    servers: LocalServers, prefix: str
) -> None:
    client = connect(servers.redis_url)
    store = JoinStore(client, prefix)
    token = await claimed(store)
    change = of(JoinDelta(remainders={1: b"once"}, remainders_until=9))
    assert await store.save(0, token, change)
    store._sequence[0] -= 1  # as if it had timed out
    assert await store.save(0, token, change)
    assert (await loaded(lambda: JoinStore(client, prefix))).remainders == [(1, b"once")]
    await client.aclose()


@SERVERS
async def test_a_wiped_redis_refuses_the_delta_and_starts_above_the_old_token(
    servers: LocalServers, prefix: str
) -> None:
    client = connect(servers.redis_url)
    store = JoinStore(client, prefix)
    token = await claimed(store)
    assert await store.save(0, token, of(JoinDelta(moved={KEY: HALF})))
    await client.delete(*store._keys(0))
    assert not await store.save(0, token, of(JoinDelta()))
    claim = await store.claim(0, token)
    assert claim.token > token
    assert (claim.memory_is_current, claim.stored) == (False, None)
    await client.aclose()


async def test_a_redis_that_is_not_there_is_unavailable_within_seconds() -> None:
    client = connect("redis://127.0.0.1:1/0")
    with pytest.raises(StoreUnavailableError):
        await JoinStore(client, "nowhere").claim(0, None)
    await client.aclose()
