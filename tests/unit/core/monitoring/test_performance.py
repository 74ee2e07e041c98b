"""Accuracy by the time of the prediction, with its coverage, as labels come."""

from typing import Any

import orjson
import pytest

from driftline.core.monitoring.fold import JournalFold
from driftline.core.monitoring.performance import month_end, month_start
from driftline_schemas.fields import format_time
from driftline_schemas.verdicts import Verdict
from tests.unit.core.monitoring.journal import PANE, POLICY, START, TOPIC, Journal, fold, new_fold

EVEN = [50, 50, 50, 50, 0, 0]
LATER = START + 60_000


@pytest.fixture
def journal() -> Journal:
    journal = Journal()
    journal.spec()
    journal.bins()
    journal.counts(START, 200, EVEN)
    journal.mark(START + 2 * PANE)
    return journal


def revised(monitor: JournalFold, target: int | str = 200) -> Verdict:
    (verdict,) = [v for v in monitor.revisions() if v.target == target]
    return verdict


def label(journal: Journal, offset: int, **changes: Any) -> None:
    about = {"predicted_at": START + 1_000, "prediction_ts": START + 1_000, **changes}
    journal.joined(LATER + offset, offset, **about)


def written(monitor: JournalFold) -> Any:
    """What a checkpoint says about performance."""
    return orjson.loads(orjson.dumps(monitor.models["m"].performance.snapshot()))


def panes(monitor: JournalFold) -> list[int]:
    return [row[0] for stretch in written(monitor)["panes"] for row in stretch]


def test_a_judged_block_is_shown_before_any_label(journal: Journal) -> None:
    monitor = new_fold()
    fold(journal.entries, monitor)
    verdict = revised(monitor)
    assert (verdict.outcome, verdict.coverage, verdict.window.n) == ("not_enough_data", 0, 200)
    assert monitor.revisions() == []


def test_late_labels_give_the_past_block_a_new_revision(journal: Journal) -> None:
    monitor = new_fold()
    fold(journal.entries, monitor)
    before = revised(monitor)
    known = len(journal.entries)
    for offset in range(50):
        label(journal, offset, label="no" if offset < 10 else "yes")
    fold(journal.entries[known:], monitor)
    after = revised(monitor)
    (result,) = after.results
    assert (result.scope, result.value, after.coverage) == ("accuracy", 0.8, 0.25)
    assert "50 of 200 predictions are labelled, so the figure may still change" in result.reason
    assert after.verdict_id == before.verdict_id
    assert after.revision == before.revision + 50
    assert after.at == LATER + 49


def test_labels_that_are_known_before_the_counts_of_their_predictions_are_told_as_such(
    journal: Journal,
) -> None:
    for offset in range(250):
        label(journal, offset)
    monitor = new_fold()
    fold(journal.entries, monitor)
    verdict = revised(monitor)
    assert (verdict.window.n, verdict.coverage) == (200, 1.0)
    told = verdict.results[0].reason
    assert told == "250 labels; 200 of their predictions are counted so far"


def test_a_correction_amends_the_figure_and_is_a_revision_of_its_own(journal: Journal) -> None:
    for offset in range(4):
        label(journal, offset)
    about = {"predicted_at": START + 1_000}
    monitor = new_fold()
    fold(journal.entries, monitor)
    before = revised(monitor)
    amended = journal.correction(LATER + 10, 10, corrects=0, **about)
    again = journal.correction(LATER + 11, 10, corrects=0, **about)
    fold([amended, again], monitor)
    after = revised(monitor)
    assert (before.results[0].value, after.results[0].value) == (1.0, 0.75)
    assert (after.coverage, after.revision) == (before.coverage, before.revision + 1)


def test_a_restart_keeps_what_changed_since_the_last_revision(journal: Journal) -> None:
    monitor = new_fold()
    fold(journal.entries, monitor)
    monitor.revisions()
    known = len(journal.entries)
    label(journal, 1)
    fold(journal.entries[known:], monitor)
    restarted = JournalFold.restore(
        POLICY, TOPIC, 3, orjson.loads(orjson.dumps(monitor.snapshot()))
    )
    assert [v.target for v in restarted.revisions()] == [200, "month"]


def test_the_month_of_the_prediction_holds_the_same_labels(journal: Journal) -> None:
    label(journal, 1, label="no")
    label(journal, 2)
    monitor = new_fold()
    fold(journal.entries, monitor)
    month = revised(monitor, "month")
    assert month.results[0].value == 0.5
    assert month.window.start == month_start(START)
    assert format_time(month.window.end) == "2026-10-01T00:00:00.000Z"
    assert month_start(month_end(month.window.start)) == month.window.end


def test_a_label_without_comparable_prediction_is_labelled_and_not_scored(journal: Journal) -> None:
    label(journal, 1, label=1)
    monitor = new_fold()
    fold(journal.entries, monitor)
    verdict = revised(monitor)
    assert verdict.outcome == "cannot_evaluate"
    assert verdict.coverage == 1 / 200
    assert verdict.results[0].value is None


def test_regression_shows_the_mean_absolute_error(journal: Journal) -> None:
    journal.spec(START + 100, seq=2, spec_hash="c" * 16, task="regression")
    for offset, distance in enumerate((0.5, 1.5, 1)):
        label(journal, offset, prediction=3, label=3 + distance)
    monitor = new_fold()
    fold(journal.entries, monitor)
    (result,) = revised(monitor, "month").results
    assert (result.scope, result.value) == ("mean_absolute_error", 1.0)


def test_a_metric_that_is_not_supported_says_so(journal: Journal) -> None:
    journal.spec(START + 100, seq=2, spec_hash="c" * 16, metric="log_loss")
    label(journal, 1)
    monitor = new_fold()
    fold(journal.entries, monitor)
    (result,) = revised(monitor, "month").results
    assert result.outcome == "cannot_evaluate"
    assert result.reason == "the metric log_loss is not supported for binary models"


def test_a_block_beyond_the_label_horizon_has_a_last_revision_and_is_dropped(
    journal: Journal,
) -> None:
    busy = START + 2 * PANE
    journal.counts(busy, 5_000, [1_250, 1_250, 1_250, 1_250, 0, 0], pane=busy)
    journal.mark(busy + 2 * PANE)
    label(journal, 1)
    monitor = new_fold()
    fold(journal.entries, monitor)
    last = fold([journal.mark(busy + PANE + POLICY.horizon_ms)], monitor)
    targets = [v.target for v in last if isinstance(v, Verdict)]
    assert targets == [200, 5_000, 1_000, 200, "month"]
    assert written(monitor)["blocks"] == []
    assert panes(monitor) == []
    assert monitor.revisions() == []


def test_what_a_block_to_come_may_hold_is_kept_beyond_the_horizon(journal: Journal) -> None:
    monitor = new_fold()
    fold(journal.entries, monitor)
    fold([journal.mark(START + PANE + POLICY.horizon_ms)], monitor)
    assert panes(monitor) == [START // PANE]


def test_history_that_is_replayed_counts_in_its_month_and_is_not_kept_by_pane(
    journal: Journal,
) -> None:
    year = 365 * 86_400_000
    old = START - year - START % PANE
    journal.counts(LATER, 300, [75, 75, 75, 75, 0, 0], partition=1, pane=old)
    label(journal, 1, predicted_at=old, prediction_ts=LATER)
    end = journal.mark(LATER + 2 * PANE)
    monitor = new_fold()
    found = fold(journal.entries, monitor)
    months = {v.window.start: v for v in monitor.revisions() if v.target == "month"}
    assert (months[month_start(old)].window.n, months[month_start(old)].coverage) == (300, 1 / 300)
    assert [v.window.n for v in found if isinstance(v, Verdict) and v.at == end.time] == [300]
    assert old // PANE not in panes(monitor)


def test_a_prediction_from_the_future_is_shown_at_its_append_time(journal: Journal) -> None:
    label(journal, 1, predicted_at=START + 10**10)
    monitor = new_fold()
    fold(journal.entries, monitor)
    assert revised(monitor).coverage == 1 / 200
