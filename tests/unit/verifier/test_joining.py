"""Which halves belong together, on logs written by hand."""

import pytest

from tests.unit.verifier.logs import HOUR, MINUTE, NOON, RULES, Topics
from tests.verifier.joining import Rules

SECOND = 1000


def test_a_prediction_and_its_label_join() -> None:
    topics = Topics()
    prediction = topics.prediction("seen", at=0)
    label = topics.label("seen", "sky", at=MINUTE)

    expected = topics.recomputed()

    [(joined_at, (left, right))] = expected.joined.items()
    assert joined_at == label
    assert (left.tp, left.at, right.at, right.value) == (prediction, NOON, NOON + MINUTE, "sky")
    assert not expected.alone
    assert not expected.corrections


def test_a_label_that_comes_first_joins_the_same() -> None:
    topics = Topics()
    label = topics.label("early-bird", "sky", at=0)
    topics.prediction("early-bird", at=MINUTE)

    assert set(topics.recomputed().joined) == {label}


def test_the_same_id_of_another_model_is_another_key() -> None:
    topics = Topics()
    topics.prediction("shared", at=0)
    topics.label("shared", "sky", at=MINUTE, model="dolphin")

    expected = topics.recomputed()

    assert not expected.joined
    assert {reason for reason, *_ in expected.alone} == {"no_label", "no_prediction"}


@pytest.mark.parametrize(("apart", "joins"), [(0, True), (1, False)])
def test_halves_join_up_to_the_horizon_and_not_beyond(apart: int, *, joins: bool) -> None:
    topics = Topics()
    topics.prediction("slow", at=0)
    topics.label("slow", "sky", at=RULES.horizon_ms + apart)

    expected = topics.recomputed()

    assert bool(expected.joined) is joins
    assert expected.ambiguous.keys == {("whale", "slow")}


def test_only_the_first_prediction_and_the_first_label_join() -> None:
    topics = Topics()
    first = topics.prediction("twice", at=0)
    topics.prediction("twice", at=MINUTE)
    label = topics.label("twice", "sky", at=2 * MINUTE)
    topics.label("twice", "sky", at=3 * MINUTE)

    expected = topics.recomputed()

    [(joined_at, (prediction, _))] = expected.joined.items()
    assert (prediction.tp, joined_at) == (first, label)
    assert expected.figures["label repeats"] == 1


def test_another_label_within_the_window_is_a_correction_of_the_current_value() -> None:
    topics = Topics()
    topics.prediction("disputed", at=0)
    first = topics.label("disputed", "sky", at=MINUTE)
    second = topics.label("disputed", "grass", at=2 * MINUTE)
    topics.label("disputed", "grass", at=3 * MINUTE)
    third = topics.label("disputed", "sky", at=4 * MINUTE)

    expected = topics.recomputed()

    told = {
        at: (entry.previous, entry.label.value, entry.corrects.tp)
        for at, entry in expected.corrections.items()
    }
    assert told == {second: ("sky", "grass", first), third: ("grass", "sky", first)}
    assert expected.figures["label repeats"] == 1


def test_labels_that_wait_for_their_prediction_correct_each_other_too() -> None:
    topics = Topics()
    first = topics.label("hasty", "sky", at=0)
    second = topics.label("hasty", "grass", at=MINUTE)
    topics.prediction("hasty", at=2 * MINUTE)

    expected = topics.recomputed()

    assert set(expected.joined) == {first}
    assert set(expected.corrections) == {second}


def test_a_string_and_a_number_are_different_labels_and_1_is_1_0() -> None:
    topics = Topics()
    topics.prediction("number", at=0)
    topics.label("number", 1, at=MINUTE)
    topics.label("number", 1.0, at=2 * MINUTE)
    word = topics.label("number", "1", at=3 * MINUTE)

    assert set(topics.recomputed().corrections) == {word}


def test_a_label_after_the_window_starts_anew() -> None:
    topics = Topics()
    topics.prediction("reused", at=0)
    topics.label("reused", "sky", at=MINUTE)
    late = topics.label("reused", "grass", at=MINUTE + HOUR + 10 * SECOND)

    expected = topics.recomputed()

    assert not expected.corrections
    assert set(expected.alone) == {("no_prediction", *late)}


def test_equal_and_other_bytes_of_a_waiting_prediction_are_dropped_and_told_apart() -> None:
    topics = Topics()
    only = topics.prediction("waiting", at=0)
    topics.prediction("waiting", at=0, predicted_at="2026-11-25T12:00:00Z")
    topics.prediction("waiting", at=0)

    expected = topics.recomputed()

    assert set(expected.alone) == {("no_label", *only)}
    assert (expected.figures["repeats"], expected.figures["conflicting repeats"]) == (1, 1)
    assert [tally.n for tally in expected.counts.values()] == [1]


def test_a_prediction_after_the_horizon_of_one_that_waits_starts_anew() -> None:
    topics = Topics()
    first = topics.prediction("waiting", at=0)
    second = topics.prediction("waiting", at=RULES.horizon_ms + 10 * SECOND)

    expected = topics.recomputed()

    assert set(expected.alone) == {("no_label", *first), ("no_label", *second)}
    assert sum(tally.n for tally in expected.counts.values()) == 2


def test_after_joining_a_prediction_is_a_repeat_until_the_window_of_the_label_ends() -> None:
    topics = Topics()
    topics.prediction("reused", at=0)
    topics.label("reused", "sky", at=MINUTE)
    topics.prediction("reused", at=HOUR)
    fresh = topics.prediction("reused", at=MINUTE + HOUR + 10 * SECOND)
    again = topics.label("reused", "grass", at=2 * HOUR)

    expected = topics.recomputed()

    assert expected.figures["conflicting repeats"] == 1  # its predicted_at is another
    assert expected.joined[again][0].tp == fresh
    assert len(expected.joined) == 2
    assert not expected.ambiguous.keys


def test_a_repeat_near_the_end_of_its_window_may_go_either_way() -> None:
    topics = Topics()
    topics.prediction("edge", at=0)
    label = topics.label("edge", "sky", at=MINUTE)
    topics.prediction("edge", at=MINUTE + HOUR + SECOND)

    expected = topics.recomputed()

    assert expected.ambiguous.keys == {("whale", "edge")}
    assert expected.ambiguous.labels == {label}


def test_nothing_repeats_a_label_that_was_given_up() -> None:
    short = Rules(horizon_ms=MINUTE, repeat_window_ms=HOUR, pane_ms=MINUTE)
    topics = Topics()
    lost = topics.label("orphan", "sky", at=0)
    topics.label("orphan", "grass", at=30 * SECOND)
    kept = topics.label("orphan", "sky", at=2 * MINUTE)
    topics.prediction("orphan", at=2 * MINUTE + SECOND)

    expected = topics.recomputed(rules=short)

    assert set(expected.joined) == {kept}
    assert set(expected.alone) == {("no_prediction", *lost)}
    assert not expected.corrections


@pytest.mark.parametrize(
    ("horizon", "grace"),
    [(MINUTE, SECOND), (10 * MINUTE, 6 * SECOND), (7 * 24 * HOUR, 5 * MINUTE)],
)
def test_the_grace_is_a_hundredth_of_the_horizon_within_bounds(horizon: int, grace: int) -> None:
    assert Rules(horizon, HOUR, MINUTE).grace_ms == grace


@pytest.mark.parametrize(("late", "due"), [(0, False), (1, True)])
def test_a_prediction_is_given_up_when_the_time_of_its_labels_is_past(
    late: int, *, due: bool
) -> None:
    topics = Topics()
    source = topics.prediction("alone", at=0)
    topics.label("other", "sky", at=RULES.horizon_ms + RULES.grace_ms + late)

    assert topics.recomputed().alone["no_label", *source].due is due


def test_a_label_is_given_up_by_the_time_of_predictions_not_of_labels() -> None:
    topics = Topics()
    source = topics.label("alone", "sky", at=0)
    topics.label("other", "sky", at=9 * HOUR)
    assert not topics.recomputed().alone["no_prediction", *source].due

    topics.prediction("another", at=9 * HOUR)
    assert topics.recomputed().alone["no_prediction", *source].due


def test_the_clock_gives_up_what_quiet_topics_do_not() -> None:
    topics = Topics()
    source = topics.prediction("alone", at=0)

    assert not topics.recomputed(clock=2 * HOUR).alone["no_label", *source].due
    assert topics.recomputed(clock=3 * HOUR).alone["no_label", *source].due


def test_the_time_of_a_partition_never_runs_back() -> None:
    topics = Topics()
    source = topics.prediction("alone", at=0)
    topics.label("other", "sky", at=9 * HOUR)
    topics.label("jumped-back", "sky", at=0)

    assert topics.recomputed().alone["no_label", *source].due
