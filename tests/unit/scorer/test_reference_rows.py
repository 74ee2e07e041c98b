"""Are the rows that a version is tried on those of its reference?"""

from collections import Counter

import pytest

from driftline.core.reference import bins_of
from driftline.scorer.reference_rows import ROWS, UNSEEN, reference_rows
from driftline.scorer.wanted import Contract
from driftline_schemas.control import BinsBody
from driftline_schemas.spec import ModelSpec
from loadtests.versions import spec_body, wire_spec

FEATURES = [
    {"name": "age", "kind": "numeric"},
    {"name": "pro", "kind": "boolean"},
    {"name": "colour", "kind": "categorical"},
]


def contract(*, with_bins: bool = True) -> Contract:
    body = spec_body(wire_spec(features=FEATURES))
    bins = BinsBody.model_validate(body["bins"]) if with_bins else None
    return Contract(ModelSpec.model_validate(body["spec"]), bins)


def test_the_same_seed_gives_the_same_rows_and_another_seed_others() -> None:
    first = reference_rows(contract(), "a")
    assert reference_rows(contract(), "a") == first
    assert reference_rows(contract(), "b") != first
    assert len(first) == ROWS


def test_values_fall_into_the_bins_as_often_as_the_reference_s_did() -> None:
    known = contract()
    assert known.bins is not None
    rows = reference_rows(known, "a", rows=4_000)
    for name, bins in known.bins.features.items():
        rule = bins_of(bins)
        met = Counter(rule.index(row[name]) for row in rows if row[name] is not None)
        present = sum(bins.reference[:-2])
        for place, times in enumerate(bins.reference[:-2]):
            assert met[place] / met.total() == pytest.approx(times / present, abs=0.03)


def test_numbers_lie_near_the_reference_and_every_feature_is_missing_now_and_then() -> None:
    rows = reference_rows(contract(), "a")
    ages = [row["age"] for row in rows if isinstance(row["age"], float)]
    assert -20 < min(ages) < max(ages) < 100
    for name in ("age", "pro", "colour"):
        assert 0 < sum(row[name] is None for row in rows) < 20


def test_without_bins_every_feature_has_a_value_of_its_kind() -> None:
    rows = reference_rows(contract(with_bins=False), "a")
    assert {type(row["age"]) for row in rows} == {float, type(None)}
    assert {row["pro"] for row in rows} == {True, False, None}
    assert {row["colour"] for row in rows} == {UNSEEN, None}
