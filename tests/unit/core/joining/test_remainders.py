"""What stays of a pair survives packing, and is forgotten in time."""

from hypothesis import given
from hypothesis import strategies as st

from driftline.core.joining.remainders import Remainder, Remainders, pack, unpack

INTEGERS = st.integers(-(2**63), 2**63 - 1)
VALUES = (
    st.text(st.characters(exclude_categories=["Cs"]))
    | INTEGERS
    | st.floats(allow_nan=False, allow_infinity=False)
)
REMAINDERS = st.builds(
    Remainder, INTEGERS, INTEGERS, INTEGERS, INTEGERS, st.integers(0, 2**64 - 1),
    st.text(st.characters(exclude_categories=["Cs"])), VALUES, VALUES,
)  # fmt: skip


def pair(label_time: int, label: str = "yes") -> Remainder:
    return Remainder(1, 2, label_time, 0, 9, "v1", "yes", label)


@given(remainder=REMAINDERS)
def test_unpacking_gives_back_what_was_packed(remainder: Remainder) -> None:
    assert unpack(pack(remainder)) == remainder


def test_the_oldest_are_forgotten() -> None:
    kept = Remainders()
    for key, time in enumerate([10, 20, 30]):
        kept.put(key, pair(time))
    kept.forget(before=20)
    assert [kept.get(key) is None for key in range(3)] == [True, False, False]


def test_a_correction_replaces_what_was_kept_also_after_a_restart() -> None:
    kept = Remainders()
    packed = [(1, pack(pair(10))), (2, pack(pair(5))), (1, pack(pair(10, "no")))]
    kept.restore(packed, since=10)
    found = kept.get(1)
    assert found is not None
    assert (found.label, kept.get(2), kept.added) == ("no", None, {})
