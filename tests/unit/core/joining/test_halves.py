"""A waiting half is in one place at a time, and the store hears of each that leaves it."""

from driftline.core.joining.halves import Half, Halves


def half(offset: int, time: int | None = None, size: int = 10) -> Half:
    return Half(offset, offset if time is None else time, bytes(size))


def waiting(*offsets: int) -> Halves:
    halves = Halves()
    for offset in offsets:
        halves.put(offset, half(offset))
    return halves


def moved(halves: Halves, before: int) -> Halves:
    halves.move(before=before, limit=1_000, max_bytes=10**9)
    halves.moved()
    return halves


def test_what_is_old_moves_and_the_rest_stays() -> None:
    halves = waiting(1, 2, 3)
    assert set(halves.move(before=3, limit=9, max_bytes=10**9)) == {1, 2}
    assert (set(halves.recent), halves.recent_bytes) == ({3}, 10)


def test_the_oldest_beyond_the_bytes_move_though_they_are_young() -> None:
    halves = waiting(1, 2, 3)
    assert set(halves.move(before=0, limit=9, max_bytes=15)) == {1, 2}


def test_no_more_than_the_limit_moves_at_once() -> None:
    halves = waiting(1, 2, 3)
    assert set(halves.move(before=99, limit=2, max_bytes=0)) == {1, 2}


def test_a_half_that_is_taken_while_it_moves_is_deleted_by_the_next_checkpoint() -> None:
    halves = waiting(1)
    halves.move(before=9, limit=9, max_bytes=0)
    assert halves.take(1) == half(1)
    halves.moved()
    assert (halves.deleted, len(halves)) == ([(1, 1)], 0)


def test_a_stored_half_is_taken_from_what_was_fetched() -> None:
    halves = moved(waiting(1, 2), before=9)
    assert halves.unfetched([1, 2, 3]) == [(1, 1), (2, 2)]
    halves.fetched[1] = half(1)
    assert halves.unfetched([1, 2]) == [(2, 2)]
    assert halves.take(1) == half(1)
    assert (halves.deleted, set(halves.stored)) == ([(1, 1)], {2})


def test_due_halves_come_oldest_first_from_every_place_up_to_the_limit() -> None:
    halves = moved(waiting(1, 2), before=9)
    halves.put(3, half(3))
    halves.move(before=9, limit=9, max_bytes=0)
    halves.put(4, half(4))
    halves.put(9, half(9))
    assert halves.due(before=9, limit=99) == [1, 2, 3, 4]
    assert halves.due(before=9, limit=3) == [1, 2, 3]
    assert halves.due(before=2, limit=3) == [1]


def test_an_expired_half_is_kept_a_little() -> None:
    halves = waiting(1, 2)
    assert halves.expire(1) == half(1)
    assert halves.expire(1) is None
    halves.forget_expired(before=1)
    assert set(halves.expired) == {1}
    halves.forget_expired(before=2)
    assert (halves.expired, set(halves.recent)) == ({}, {2})
