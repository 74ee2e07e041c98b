"""The error incident: when it opens, what it is measured by, when it is over."""

import random

import pytest

from driftline.core.drift.error_incident import ErrorIncident, ErrorPolicy, Opened, Resolved

DELAY = 1_000  # ms from prediction to label; one label every 10 ms


def fold(
    incident: ErrorIncident, *stretches: tuple[int, float], delay: int = DELAY
) -> list[tuple[int, Opened | Resolved]]:
    rng, events, now = random.Random(5), [], 0
    for n, rate in stretches:
        for _ in range(n):
            now += 10
            outcome = incident.step(float(rng.random() < rate), now - delay, now)
            if outcome is not None:
                events.append((now, outcome))
    return events


def test_a_rise_opens_it_and_the_return_closes_it() -> None:
    events = fold(ErrorIncident(), (3_000, 0.1), (1_000, 0.6), (1_000, 0.1))
    (opened_at, opened), (resolved_at, resolved) = events
    assert isinstance(opened, Opened)
    assert isinstance(resolved, Resolved)
    assert 30_000 < opened_at < 31_500
    assert 0.4 < opened.value < min(opened.reference, opened.before)
    assert opened.before == pytest.approx(0.9, abs=0.01)
    assert opened.reference == pytest.approx(0.9, abs=0.04)
    assert opened.n > 5
    assert resolved_at > 40_000
    assert resolved.n == 200
    assert resolved.value >= resolved.reference - 0.05
    assert resolved.reference == opened.reference


def test_labels_of_predictions_made_before_it_opened_do_not_close_it() -> None:
    incident = ErrorIncident()
    opened_at = 1_000_000
    stream = [float(i % 10 == 0) for i in range(2_000)] + [1.0] * 200
    opened = next(i for i, error in enumerate(stream) if incident.step(error, i, opened_at))
    assert opened >= 2_000
    late = [incident.step(0.0, opened_at - i % 2, opened_at + 10_000) for i in range(1_000)]
    assert late == [None] * 1_000
    made_after = [incident.step(0.0, opened_at + 1, opened_at + 10_000) for _ in range(200)]
    assert made_after[:199] == [None] * 199
    assert isinstance(made_after[199], Resolved)


def test_a_worse_error_does_not_open_a_second_one() -> None:
    events = fold(ErrorIncident(), (2_000, 0.1), (2_000, 0.4), (2_000, 0.9))
    assert [type(event) for _, event in events] == [Opened]


def test_the_reference_is_the_last_thousand_labels_before() -> None:
    (_, opened), *_ = fold(ErrorIncident(), (5_000, 0.5), (1_500, 0.0), (300, 0.9))
    assert 0.9 < opened.reference < 1.0


def test_a_rise_is_told_against_the_labels_before_it_even_if_the_reference_shows_none() -> None:
    (_, opened), *_ = fold(ErrorIncident(), (6_000, 0.2), (9_000, 0.25))
    assert isinstance(opened, Opened)
    assert opened.n > ErrorPolicy().baseline
    assert opened.reference < opened.value < opened.before
    assert opened.before == pytest.approx(0.8, abs=0.01)


def test_a_short_history_is_reference_enough() -> None:
    (_, opened), *_ = fold(ErrorIncident(), (200, 0.0), (200, 1.0))
    assert isinstance(opened, Opened)
    assert opened.reference > 0.8


def test_after_it_is_over_the_next_rise_opens_another() -> None:
    stretches = [(2_000, 0.1), (500, 0.8)] * 2 + [(2_000, 0.1)]
    events = fold(ErrorIncident(), *stretches)
    assert [type(event) for _, event in events] == [Opened, Resolved, Opened, Resolved]


def test_a_model_as_good_as_ever_has_none() -> None:
    assert fold(ErrorIncident(), (20_000, 0.15)) == []


@pytest.mark.parametrize(("wrong", "over"), [(30, True), (31, False)])
def test_the_margin_itself_is_within_the_margin(wrong: int, over: bool) -> None:
    # .85 of 200 labels against .9 less .05, which in floats is more than .85.
    incident = ErrorIncident.restore({**ErrorIncident().snapshot(), "open": [0, 0.9]})
    outcomes = [incident.step(float(i < wrong), 1, 2) for i in range(200)]
    assert isinstance(outcomes[-1], Resolved) is over
    assert incident.is_open is not over
