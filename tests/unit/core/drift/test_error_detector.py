"""The error detector: which changes it reports, and which states it refuses to take up."""

import random
from base64 import b64decode, b64encode
from hashlib import sha256
from math import inf, nan
from statistics import fmean
from typing import Any

import pytest
from river.drift import ADWIN

from driftline.core.drift.error_detector import ErrorDetector, bounded


def errors(*stretches: tuple[int, float]) -> list[float]:
    rng = random.Random(3)
    return [float(rng.random() < rate) for n, rate in stretches for _ in range(n)]


def alarms(detector: ErrorDetector, stream: list[float]) -> list[int]:
    return [i for i, error in enumerate(stream) if detector.update(error)]


def test_a_rise_is_reported_and_a_fall_is_not() -> None:
    (alarm,) = alarms(ErrorDetector(), errors((2_000, 0.1), (2_000, 0.5), (2_000, 0.1)))
    assert 2_000 < alarm < 2_200


def test_a_steady_error_is_no_alarm() -> None:
    assert alarms(ErrorDetector(), errors((30_000, 0.2))) == []


def test_detections_are_those_of_river_used_as_it_comes() -> None:
    stream = errors((1_000, 0.1), (700, 0.6), (900, 0.2), (1_500, 0.7), (500, 0.9))
    adwin: Any = ADWIN(delta=0.002)  # type: ignore[no-untyped-call]  # River's is bare
    seen = []
    for i, error in enumerate(stream):
        before = adwin.estimation
        adwin.update(error)
        if adwin.drift_detected and adwin.estimation > before:
            seen.append(i)
    assert alarms(ErrorDetector(), stream) == seen
    assert len(seen) >= 2


@pytest.mark.parametrize("rates", [(0.1, 0.6, 0.2, 0.7, 0.9), (0.0, 0.2), (0.45, 0.5, 0.56)])
def test_a_rise_tells_of_the_errors_that_were_let_go_of_and_of_those_kept(
    rates: tuple[float, ...],
) -> None:
    detector, window, rises = ErrorDetector(), list[float](), 0
    adwin: Any = ADWIN(delta=0.002)  # type: ignore[no-untyped-call]  # River's is bare
    for error in errors(*((4_000, rate) for rate in rates)):
        window = [*([] if adwin.drift_detected else window), error]
        adwin.update(error)
        kept, rise = int(adwin.width), detector.update(error)
        let_go, window = window[:-kept], window[-kept:]
        if rise is not None:
            rises += 1
            assert rise.before == pytest.approx(fmean(let_go))
            assert rise.since == pytest.approx(fmean(window))
            assert rise.n == len(window)
            assert rise.before < rise.since
    assert rises >= 1


@pytest.mark.parametrize(
    ("error", "taken"),
    [(0.3, 0.3), (-1.0, 0.0), (7.0, 1.0), (inf, 1.0), (-inf, 0.0), (nan, 1.0)],
)
def test_an_error_is_taken_within_nought_and_one(error: float, taken: float) -> None:
    assert bounded(error) == taken


def resealed(state: bytes) -> dict[str, Any]:
    return {"state": b64encode(state).decode(), "sha256": sha256(state).hexdigest()}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"class": "river.drift.KSWIN"}, id="another class"),
        pytest.param({"river": "0.25.0"}, id="another River"),
        pytest.param({"parameters": {"delta": 0.05}}, id="other parameters"),
        pytest.param({"sha256": "0" * 64}, id="damaged"),
        pytest.param({"state": ""}, id="torn"),
        pytest.param({"state": "?"}, id="not base64"),
    ],
)
def test_a_state_that_is_not_its_own_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="detector|damaged|Only base64|state"):  # noqa: RUF043
        ErrorDetector.restore({**ErrorDetector().snapshot(), **change})


def test_a_state_with_more_than_belongs_to_it_is_refused() -> None:
    snapshot = ErrorDetector().snapshot()
    longer = b64decode(snapshot["state"]) + b"\0"
    with pytest.raises(ValueError, match="read back"):
        ErrorDetector.restore({**snapshot, **resealed(longer)})


def test_its_state_stays_small() -> None:
    detector = ErrorDetector()
    alarms(detector, errors((100_000, 0.2)))
    assert len(detector.snapshot()["state"]) < 4_000
