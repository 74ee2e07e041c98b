"""Does the index know every id that it was told, and no other, in few bytes?"""

from sys import getsizeof

from hypothesis import given
from hypothesis import strategies as st

from driftline.core.registry.id_index import IdIndex
from driftline_schemas.codec import short_hash

DERIVED = st.integers(0, 2**64 - 1).map(lambda key: f"{key:016x}")
IDS = st.one_of(
    DERIVED,
    st.text(max_size=128),
    st.just("\ud800"),
    st.integers(0, 40).map(lambda n: f"{8 * n:016x}"),
)


@given(st.lists(st.tuples(IDS, st.integers(0, 2**32 - 2)), max_size=60), st.lists(IDS))
def test_it_says_what_a_dict_would_say(told: list[tuple[str, int]], others: list[str]) -> None:
    index, known = IdIndex(), dict[str, int]()
    for name, number in told:
        index.add(name, number)
        known.setdefault(name, number)
        assert len(index) == len(known)
    for name in [*known, *others]:
        assert index.get(name) == known.get(name)
        assert (name in index) == (name in known)


def test_the_same_ids_in_the_same_order_are_the_same_index() -> None:
    one, other = IdIndex(), IdIndex()
    for number in range(100):
        one.add(f"c{number}", number)
        assert one != other
        other.add(f"c{number}", number)
        assert one == other


def test_an_id_takes_few_bytes_however_long_it_is() -> None:
    index = IdIndex()
    for number in range(10_000):
        index.add(short_hash(str(number)) * (1 + number % 8), number)
    assert getsizeof(index._keys) + getsizeof(index._numbers) < 24 * 10_000
