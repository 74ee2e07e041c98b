"""Errors within [0, 1]."""

from math import inf, nan

import pytest

from driftline.core.gates.errors import ErrorScale, class_error


def scaled(first: list[float]) -> ErrorScale:
    scale = ErrorScale()
    for error in first:
        scale.add(100.0 + error, 100.0)
    return scale


def test_classes_are_right_or_wrong() -> None:
    assert [class_error("a", "a"), class_error("b", "a"), class_error(None, "a")] == [0.0, 1.0, 1.0]


def test_there_is_no_error_before_200_labels() -> None:
    assert scaled([1.0] * 199).error(100.0, 100.0) is None


def test_the_scale_is_the_190th_smallest_error_and_stays() -> None:
    scale = scaled([float(i) for i in reversed(range(1, 201))])
    scale.add(10**6, 0)
    assert scale.scale == 190
    assert scale.error(0.0, 95.0) == pytest.approx(0.5)


@pytest.mark.parametrize("prediction", [None, inf, nan, -inf, 10**30])
def test_what_is_no_use_is_wholly_wrong(prediction: float | None) -> None:
    assert scaled([1.0] * 200).error(prediction, 0.0) == 1.0


def test_after_200_perfect_predictions_any_miss_is_wholly_wrong() -> None:
    scale = scaled([0.0] * 200)
    assert [scale.error(1.0, 1.0), scale.error(1.001, 1.0)] == [0.0, 1.0]


def test_a_restored_scale_goes_on_identically() -> None:
    straight, restarted = ErrorScale(), ErrorScale()
    for i in range(250):
        if i in (70, 220):
            restarted = ErrorScale.restore(restarted.snapshot())
        straight.add(i * 7 % 31, 0)
        restarted.add(i * 7 % 31, 0)
        assert straight.error(3.0, 0.0) == restarted.error(3.0, 0.0)
