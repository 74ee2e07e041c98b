"""Into which pane, segment and bin does a prediction count?"""

from typing import Any

import orjson
import pytest

from tests.unit.verifier.logs import HOUR, MINUTE, NOON, RULES, Topics
from tests.verifier.bins import Boolean, Categorical, Numeric
from tests.verifier.envelope import exact_features
from tests.verifier.recompute import CountsAt, Tally
from tests.verifier.times import rfc3339

SIZE = {"size": {"kind": "numeric", "edges": [1.0, 2.0, 3.0], "reference": [1, 1, 1, 1, 0, 0]}}
SKY = {"kind": "categorical", "categories": ["sky", "grass"], "reference": [1, 1, 0, 0, 0, 0]}


def only_tally(topics: Topics) -> tuple[CountsAt, Tally]:
    [(at, tally)] = topics.recomputed().counts.items()
    return at, tally


def test_before_any_bins_only_n_is_counted() -> None:
    topics = Topics()
    topics.prediction("plain", at=MINUTE + 1, features={"size": 1})

    at, tally = only_tally(topics)

    assert at == CountsAt("whale", "v1", 0, 0, NOON + MINUTE, "")
    assert tally == Tally(n=1, skewed=0, counts={}, prediction_counts=None)


def test_the_newest_bins_in_force_at_the_append_time_count() -> None:
    topics = Topics()
    topics.bins("0" * 16, SIZE, at=MINUTE)
    topics.bins("1" * 16, SIZE, at=2 * MINUTE)
    for name, at in (("none", MINUTE - 1), ("old", MINUTE), ("new", 2 * MINUTE)):
        topics.prediction(name, at=at, predicted_at=rfc3339(NOON))

    assert {at.bins_id for at in topics.recomputed().counts} == {"", "0" * 16, "1" * 16}


def test_a_refused_fact_brings_no_bins() -> None:
    topics = Topics()
    topics.bins("0" * 16, SIZE, at=0)
    [record] = topics.records["registry"]
    fact = orjson.loads(record.value or b"") | {"outcome": "refused"}
    topics.records["registry"] = [record._replace(value=orjson.dumps(fact))]
    topics.prediction("plain", at=1)

    assert only_tally(topics)[0].bins_id == ""


def test_features_and_prediction_count_in_their_bins_and_unknown_features_nowhere() -> None:
    topics = Topics()
    topics.bins("0" * 16, SIZE, at=0, prediction=SKY)
    topics.prediction("one", at=1, features={"size": 1, "unknown": 5})
    topics.prediction("two", at=2, features={"size": None}, prediction="grass")
    topics.prediction("three", at=3, nonfinite=["size"], prediction="sea")

    _, tally = only_tally(topics)

    assert tally.counts == {"size": [0, 1, 0, 0, 1, 1]}
    assert tally.prediction_counts == [1, 1, 0, 1, 0, 0]


@pytest.mark.parametrize(
    ("value", "index"),
    [(0.5, 0), (1, 1), (1.5, 1), (3, 3), (99.0, 3), (None, 4)]
    + [(bad, 5) for bad in (True, "2", [1], {"a": 1}, 10**30, -(2**63) - 1)],
)
def test_a_number_falls_right_of_its_edge(value: object, index: int) -> None:
    bins = Numeric([1.0, 2.0, 3.0])
    assert bins.index(value) == index
    assert index < bins.size


def test_an_integer_over_64_bit_is_seen_as_one_in_the_bytes() -> None:
    assert exact_features(b'{"features":{"size":' + b"9" * 30 + b"}}") == {
        "features": {"size": int("9" * 30)}
    }


@pytest.mark.parametrize(
    ("value", "index"),
    [("top 0", 0), ("top 19", 19), ("listed 20", 20), ("unheard of", 21), ("", 21), (None, 22)]
    + [(bad, 23) for bad in (7, True, "é" * 513, ["top 0"])],
)
def test_a_category_is_top_other_new_missing_or_invalid(value: object, index: int) -> None:
    listed = [f"top {number}" for number in range(20)] + ["listed 20", "listed 21"]
    bins = Categorical.of(listed)
    assert (bins.index(value), bins.size) == (index, 24)


def test_few_categories_have_few_bins() -> None:
    bins = Categorical.of(["sky"])
    assert [bins.index(value) for value in ("sky", "sea", None, 1)] == [0, 2, 3, 4]


@pytest.mark.parametrize(
    ("value", "index"), [(False, 0), (True, 1), (None, 2), (1, 3), ("true", 3), ([], 3)]
)
def test_a_flag_is_false_true_missing_or_invalid(value: object, index: int) -> None:
    assert Boolean().index(value) == index


@pytest.mark.parametrize(
    ("off", "pane", "skewed"),
    [
        (5 * MINUTE, 15 * MINUTE, 0),
        (5 * MINUTE + 1, 10 * MINUTE, 1),  # counts under its append time
        (-RULES.horizon_ms, 10 * MINUTE - RULES.horizon_ms, 0),
        (-RULES.horizon_ms - 1, 9 * MINUTE - RULES.horizon_ms, 1),  # keeps its pane
    ],
)
def test_a_clock_that_is_off_is_skewed(off: int, pane: int, skewed: int) -> None:
    topics = Topics()
    at = 10 * MINUTE
    topics.prediction("skewed", at=at, predicted_at=rfc3339(NOON + at + off))

    counted, tally = only_tally(topics)

    assert (counted.pane - NOON, tally.skewed, tally.n) == (pane, skewed, 1)


def test_versions_panes_partitions_and_segments_count_apart() -> None:
    topics = Topics()
    for number in range(1001):
        topics.prediction(f"p{number}", at=0, model_version="v2" if number == 5 else "v1")
    topics.prediction("later", at=MINUTE)

    tallies = topics.recomputed().counts

    assert {(at.version, at.segment, at.pane - NOON): tally.n for at, tally in tallies.items()} == {
        ("v1", 0, 0): 999,
        ("v2", 0, 0): 1,
        ("v1", 1, 0): 1,
        ("v1", 1, MINUTE): 1,
    }


@pytest.mark.parametrize("odd", [{"size": [1]}, {"size": "x" * 2000}, {"size": {"a": {"b": 1}}}])
def test_a_bad_feature_counts_as_invalid_and_its_event_joins(odd: dict[str, Any]) -> None:
    topics = Topics()
    topics.bins("0" * 16, SIZE, at=0)
    topics.prediction("odd", at=1, features=odd)
    label = topics.label("odd", "sky", at=HOUR)

    assert only_tally(topics)[1].counts == {"size": [0, 0, 0, 0, 0, 1]}
    assert set(topics.recomputed().joined) == {label}
