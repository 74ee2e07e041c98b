"""What counts in which pane, when a pane closes, and what its verdict says."""

import pytest

from tests.unit.core.monitoring.journal import (
    BINS_ID,
    PANE,
    START,
    Journal,
    alerts,
    fold,
    new_fold,
    verdicts,
)

EVEN = [50, 50, 50, 50, 0, 0]
HIGH = [0, 0, 20, 180, 0, 0]
CLOSES = START + 2 * PANE  # the first pane's end and the grace


@pytest.fixture
def journal() -> Journal:
    journal = Journal()
    journal.spec()
    journal.bins()
    return journal


def test_a_pane_closes_once_every_input_partition_is_past_its_grace(journal: Journal) -> None:
    journal.counts(START, 200, EVEN)
    journal.write(CLOSES, kind="mark", times={0: CLOSES, 1: CLOSES - 1})
    monitor = new_fold()
    assert fold(journal.entries, monitor) == []
    late = journal.write(CLOSES, kind="mark", times={1: CLOSES})
    (verdict,) = verdicts(fold([late], monitor), "data")
    assert (verdict.window.start, verdict.window.end) == (START, START + PANE)
    assert (verdict.target, verdict.window.n, verdict.at) == (200, 200, CLOSES)


def test_nothing_closes_while_an_input_partition_was_never_heard_of(journal: Journal) -> None:
    journal.counts(START, 200, EVEN)
    journal.write(CLOSES, kind="mark", times={0: CLOSES + 10 * PANE})
    assert fold(journal.entries, new_fold()) == []


def test_an_old_mark_takes_no_time_back(journal: Journal) -> None:
    journal.counts(START, 200, EVEN)
    for times in ({0: CLOSES}, {0: START}, {1: CLOSES}):
        journal.write(CLOSES, kind="mark", times=times)
    assert len(verdicts(fold(journal.entries, new_fold()), "data")) == 1


def test_late_counts_are_judged_with_the_open_pane_and_shown_with_their_own(
    journal: Journal,
) -> None:
    journal.counts(START, 200, EVEN)
    journal.mark(CLOSES)
    journal.counts(CLOSES, 300, [75, 75, 75, 75, 0, 0])  # 100 more of the closed pane
    journal.counts(CLOSES, 100, [25, 25, 25, 25, 0, 0], pane=START + PANE)
    journal.mark(CLOSES + PANE)
    monitor = new_fold()
    first, second = verdicts(fold(journal.entries, monitor), "data")
    assert (first.window.n, second.window.n) == (200, 200)
    shown = verdicts(monitor.revisions(), "performance")
    assert {v.window.start: v.window.n for v in shown if v.target == 200} == {
        START: 300,
        START + PANE: 100,
    }


def test_only_the_record_with_the_highest_n_counts(journal: Journal) -> None:
    journal.counts(START, 200, EVEN)
    journal.counts(START, 120, [30, 30, 30, 30, 0, 0])
    journal.counts(START, 240, [60, 60, 60, 60, 0, 0])
    journal.mark(CLOSES)
    (verdict,) = verdicts(fold(journal.entries, new_fold()), "data")
    assert verdict.window.n == 240


def test_segments_add_up_and_lower_ones_are_replays(journal: Journal) -> None:
    journal.counts(START, 150, [38, 38, 37, 37, 0, 0])
    journal.counts(START, 100, [25, 25, 25, 25, 0, 0], segment=1)
    journal.counts(START, 200, EVEN, segment=0)
    journal.counts(START, 100, [25, 25, 25, 25, 0, 0], partition=1)
    journal.mark(CLOSES)
    (verdict,) = verdicts(fold(journal.entries, new_fold()), "data")
    assert verdict.window.n == 350


def test_counts_by_other_bins_are_predictions_and_no_evidence(journal: Journal) -> None:
    journal.counts(START, 200, HIGH, bins_id="c" * 16)
    journal.write(START, **_without_bins(50))
    journal.mark(CLOSES)
    monitor = new_fold()
    assert fold(journal.entries, monitor) == []
    (month,) = monitor.revisions()
    assert month.window.n == 250


def _without_bins(n: int) -> dict[str, object]:
    return {
        "kind": "counts",
        "model": "m",
        "model_version": "v1",
        "pane": START,
        "seconds": 5,
        "partition": 1,
        "segment": 0,
        "n": n,
        "skewed": 0,
    }


def test_a_verdict_has_a_result_for_each_feature_and_for_the_predictions(journal: Journal) -> None:
    journal.counts(START, 200, HIGH)
    journal.mark(CLOSES)
    (verdict,) = verdicts(fold(journal.entries, new_fold()), "data")
    x, y, prediction = verdict.results
    assert (x.scope, x.outcome, y.scope, y.outcome) == ("x", "drifted", "y", "ok")
    assert x.p_value is not None
    assert x.threshold is not None
    assert x.p_value < x.threshold
    assert x.effect is not None
    assert x.effect > 0.3
    assert (prediction.scope, prediction.outcome) == ("prediction", "cannot_evaluate")
    assert prediction.reason == "the reference holds no predictions"
    assert (verdict.outcome, verdict.bins_id, verdict.model_version) == ("drifted", BINS_ID, "v1")
    assert verdict.budget_share == pytest.approx(0.005 / 3 * 200 / 5_000)


def test_one_feature_that_was_not_counted_does_not_blind_the_other(journal: Journal) -> None:
    journal.counts(START, 200, HIGH, counts={"x": HIGH})
    journal.mark(CLOSES)
    (verdict,) = verdicts(fold(journal.entries, new_fold()), "data")
    assert [r.outcome for r in verdict.results] == ["drifted", "not_enough_data", "cannot_evaluate"]


def test_a_model_without_a_reference_says_so(journal: Journal) -> None:
    plain = Journal()
    plain.spec()
    plain.write(START, **{**_without_bins(200), "partition": 0})
    plain.mark(CLOSES)
    (verdict,) = verdicts(fold(plain.entries, new_fold()), "data")
    assert verdict.outcome == "cannot_evaluate"
    assert {result.reason for result in verdict.results} == {"the model has no reference"}


def test_a_model_that_nobody_registered_is_counted_and_not_judged() -> None:
    journal = Journal()
    journal.counts(START, 200, HIGH)
    journal.joined(START + 1_000, 1)
    journal.mark(CLOSES)
    monitor = new_fold()
    assert fold(journal.entries, monitor) == []
    assert monitor.revisions() == []
    assert monitor.models["m"].performance.coverage() == pytest.approx(1 / 200)


def test_a_model_that_nobody_registered_is_forgotten_in_time() -> None:
    journal = Journal()
    journal.joined(START + 1_000, 1)
    journal.mark(CLOSES)
    journal.mark(CLOSES + 3 * 3_600_000)
    monitor = new_fold()
    fold(journal.entries, monitor)
    assert monitor.models == {}


def test_the_version_of_a_verdict_made_most_of_its_predictions(journal: Journal) -> None:
    journal.counts(START, 90, [23, 23, 22, 22, 0, 0], model_version="old")
    journal.counts(START, 110, [28, 28, 27, 27, 0, 0], model_version="new")
    journal.mark(CLOSES)
    monitor = new_fold()
    (verdict,) = verdicts(fold(journal.entries, monitor), "data")
    assert verdict.model_version == "new"
    assert {v.model_version for v in monitor.revisions()} == {"new"}


def test_models_are_judged_apart(journal: Journal) -> None:
    journal.spec(model="n", features=[{"name": "x", "kind": "numeric"}])
    journal.bins(model="n")
    journal.counts(START, 200, HIGH, model="n")
    journal.counts(START, 200, EVEN)
    journal.mark(CLOSES)
    found = fold(journal.entries, new_fold())
    assert {v.model: v.outcome for v in verdicts(found, "data")} == {"m": "ok", "n": "drifted"}
    assert [alert.model for alert in alerts(found)] == ["n"]
