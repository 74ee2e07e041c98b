"""Cumulative counts as differences, in little space."""

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.core.monitoring.segment_deltas import SegmentDeltas
from driftline_schemas.journal import Counts
from tests.unit.core.monitoring.journal import counts

vectors = st.lists(st.lists(st.integers(0, 3), min_size=6, max_size=6), min_size=1, max_size=8)


def record(vector: list[int], n: int, **changes: object) -> Counts:
    return Counts.model_validate(counts(n, [0] * 6, **{"counts": {"x": vector}, **changes}))


@given(vectors, st.integers(0, 8))
def test_the_differences_add_up_to_the_last_record_also_over_a_restart(
    steps: list[list[int]], cut: int
) -> None:
    deltas, total, n = SegmentDeltas(), np.zeros(6, np.int64), 0
    found = np.zeros(6, np.int64)
    for i, step in enumerate(steps):
        if i == cut:
            deltas = SegmentDeltas.restore(orjson.loads(orjson.dumps(deltas.snapshot())))
        total += step
        n += 1 + sum(step)
        delta = deltas.take(record(total.tolist(), n))
        assert delta is not None
        found += delta.counts["x"]
        assert deltas.take(record(total.tolist(), n)) is None
    assert found.tolist() == total.tolist()


def test_predictions_are_a_scope_of_their_own() -> None:
    delta = SegmentDeltas().take(record([1, 0, 0, 0, 0, 0], 1, prediction_counts=[0, 1]))
    assert delta is not None
    assert {scope: values.tolist() for scope, values in delta.counts.items()} == {
        "x": [1, 0, 0, 0, 0, 0],
        "prediction": [0, 1],
    }


@pytest.mark.parametrize(
    ("vector", "sentence"),
    [([1, 2], "other scopes"), ([3, -1, 0, 0, 0, 0], "below zero")],
    ids=["another number of bins", "a negative count"],
)
def test_impossible_counts_are_refused(vector: list[int], sentence: str) -> None:
    deltas = SegmentDeltas()
    deltas.take(record([1, 0, 0, 0, 0, 0], 1))
    with pytest.raises(ValueError, match=sentence):
        deltas.take(record(vector, 2))


def test_a_quiet_model_takes_little_space() -> None:
    deltas = SegmentDeltas()
    features = {f"feature-{i}": [0] * 10 + [1] + [0] * 12 for i in range(20)}
    for pane in range(1_000):
        deltas.take(record([], 1, counts=features, pane=pane * 60_000))
    assert len(orjson.dumps(deltas.snapshot())) < 200_000
