"""Label positions are remembered for one to two hours of the journal."""

import orjson
from hypothesis import given
from hypothesis import strategies as st

from driftline.core.monitoring.identities import HOUR_MS, LabelIdentities

NOON = 500_000 * HOUR_MS


def test_a_position_is_new_once() -> None:
    identities = LabelIdentities()
    identities.advance(NOON)
    assert [identities.is_new(p) for p in [(0, 5), (1, 5), (0, 6), (0, 5)]] == [
        True,
        True,
        True,
        False,
    ]


def test_a_position_is_known_for_an_hour_and_forgotten_after_two() -> None:
    identities = LabelIdentities()
    identities.advance(NOON + HOUR_MS - 1)
    assert identities.is_new((0, 5))
    identities.advance(NOON + 2 * HOUR_MS - 1)
    assert not identities.is_new((0, 5))
    identities.advance(NOON + 2 * HOUR_MS)
    assert identities.is_new((0, 5))


def test_a_record_that_carries_an_older_time_forgets_nothing() -> None:
    identities = LabelIdentities()
    for time in (NOON, NOON - HOUR_MS, NOON, NOON - 3 * HOUR_MS, NOON + 1):
        identities.advance(time)
        identities.is_new((0, 5))
    assert not identities.is_new((0, 5))


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9), st.integers(0, HOUR_MS))),
    st.integers(0, 50),
)
def test_a_restart_remembers_the_same(steps: list[tuple[int, int, int]], cut: int) -> None:
    plain, restarted, now = LabelIdentities(), LabelIdentities(), NOON
    for i, (partition, offset, passed) in enumerate(steps):
        if i == cut:
            restarted = LabelIdentities.restore(orjson.loads(orjson.dumps(restarted.snapshot())))
        now += passed
        plain.advance(now)
        restarted.advance(now)
        assert plain.is_new((partition, offset)) == restarted.is_new((partition, offset))
