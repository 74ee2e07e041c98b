"""What a pipeline sees of recorded features."""

import copy
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.core.learning.features import FeatureSchema
from driftline_schemas.spec import Feature, FeatureKind

SCHEMA = FeatureSchema.of([
    Feature(name="z", kind="numeric"),
    Feature(name="a", kind="categorical"),
    Feature(name="m", kind="boolean"),
])  # fmt: skip
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.integers())
)


def test_features_come_in_the_order_of_their_names() -> None:
    seen = SCHEMA.canonical({"z": 1, "x": 5, "m": True, "a": "red"})
    assert list(seen.items()) == [("a", "red"), ("m", 1.0), ("z", 1.0)]
    assert [type(value) for value in seen.values()] == [str, float, float]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("numeric", None), ("numeric", True), ("numeric", "1"), ("numeric", math.nan),
        ("numeric", -math.inf), ("numeric", 10**15 + 1), ("numeric", -2e15), ("numeric", [1]),
        ("categorical", 1), ("categorical", True), ("categorical", "x" * 1_025),
        ("categorical", "ü" * 513), ("boolean", 1), ("boolean", "true"),
    ],
)  # fmt: skip
def test_what_is_missing_or_invalid_is_left_out(kind: FeatureKind, value: object) -> None:
    assert FeatureSchema((("f", kind),)).canonical({"f": value}) == {}


@pytest.mark.parametrize(
    ("kind", "value", "seen"),
    [
        ("numeric", 10**15, 1e15), ("numeric", -(10**15), -1e15), ("numeric", 0.5, 0.5),
        ("categorical", "ü" * 512, "ü" * 512), ("categorical", "", ""), ("boolean", False, 0.0),
    ],
)  # fmt: skip
def test_what_is_within_bounds_is_seen(kind: FeatureKind, value: object, seen: object) -> None:
    assert FeatureSchema((("f", kind),)).canonical({"f": value}) == {"f": seen}


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["z", "a", "m", "other"]), VALUES), st.randoms())
def test_the_order_of_the_record_does_not_matter_and_it_is_not_touched(
    recorded: dict[str, object], random: object
) -> None:
    shuffled = dict(sorted(recorded.items(), key=lambda _: random.random()))  # type: ignore[attr-defined]  # Hypothesis' generator
    before = copy.deepcopy(list(shuffled.items()))
    one, other = SCHEMA.canonical(recorded), SCHEMA.canonical(shuffled)
    assert list(one.items()) == list(other.items())
    assert repr(list(shuffled.items())) == repr(before)
    assert all(isinstance(value, str) or math.isfinite(value) for value in one.values())


def test_the_quick_way_sees_the_same() -> None:
    schema = FeatureSchema.of([Feature(name=name, kind="numeric") for name in "ba"])
    slow = FeatureSchema.of([
        *(Feature(name=name, kind="numeric") for name in "ba"),
        Feature(name="never", kind="boolean"),
    ])  # fmt: skip
    for values in (
        (1.0, 2.0),
        (1e308, 1e308),
        (1, 2.0),
        (True, 2.0),
        (float("inf"), 1.0),
        (float("nan"), 1.0),
        (1e15, 1.0),
        (-1e16, 0.0),
        (math.nextafter(1e15, math.inf), 1.0),
        (8e14, 8e14),
        (None, 1.0),
    ):
        recorded = dict(zip("ab", values, strict=True))
        assert schema.canonical(recorded) == slow.canonical(recorded)
        assert list(schema.canonical(recorded)) == list(slow.canonical(recorded))
    assert schema.canonical({"b": 1.0}) == {"b": 1.0}
