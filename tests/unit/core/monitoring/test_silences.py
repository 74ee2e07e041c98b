"""Predictions and labels that do not come any more, by the clock of the marks."""

from typing import Any

import pytest
from pydantic import ValidationError

from driftline_schemas.alerts import Alert, fingerprint
from driftline_schemas.spec import Expect
from tests.unit.core.monitoring.journal import (
    PANE,
    POLICY,
    START,
    TOPIC,
    Journal,
    alerts,
    fold,
    new_fold,
)

EVEN = [50, 50, 50, 50, 0, 0]
MINUTE = 60_000


@pytest.fixture
def journal() -> Journal:
    journal = Journal()
    journal.spec(expect={"predictions_within": "1m", "labels_within": "5m"})
    return journal


def found(journal: Journal, check: str = "no_predictions") -> list[Alert]:
    return [a for a in alerts(fold(journal.entries, new_fold())) if a.check == check]


def predictions(journal: Journal, at: int, n: int = 200, **changes: Any) -> None:
    about: dict[str, Any] = {
        "pane": at // PANE * PANE,
        "segment": at - START,
        "bins_id": None,
        "counts": {},
    }
    journal.counts(at, n, EVEN, **{**about, **changes})


def test_no_prediction_within_the_time_expected_fires_at_the_mark_that_says_so(
    journal: Journal,
) -> None:
    predictions(journal, START)
    journal.mark(START + PANE)
    journal.mark(START + PANE + MINUTE - 1)
    fires = journal.mark(START + PANE + MINUTE + 2_000)
    journal.mark(START + 10 * MINUTE)
    (firing,) = found(journal)
    assert firing.opened_by == (TOPIC, 3, fires.offset)
    assert firing.fingerprint == fingerprint("m", "no_predictions", "model")
    assert (firing.status, firing.severity, firing.scope) == ("firing", "warning", "model")
    assert firing.opened_at == START + PANE + MINUTE + 2_000
    assert (firing.n, firing.value, firing.threshold, firing.model_version) == (0, 62, 60, "v1")
    assert firing.summary == (
        "no predictions for 1 min 2 s; the specification expects some in 1 min"
    )


def test_the_next_prediction_resolves_it(journal: Journal) -> None:
    predictions(journal, START)
    for at in (PANE, PANE + 3 * MINUTE):
        journal.mark(START + at)
    predictions(journal, START + 3 * MINUTE + 9_000, n=4, counts={})
    firing, resolved = found(journal)
    assert (resolved.status, resolved.revision, resolved.alert_id) == (
        "resolved", 2, firing.alert_id,
    )  # fmt: skip
    assert (resolved.n, resolved.at) == (4, START + 3 * MINUTE + 9_000)
    assert resolved.summary == "predictions come again, after none for 3 min"


def test_nothing_is_expected_before_the_first_has_come(journal: Journal) -> None:
    for minutes in range(10):
        journal.mark(START + minutes * MINUTE)
    assert alerts(fold(journal.entries, new_fold())) == []


def test_a_repeat_of_what_was_counted_is_no_prediction(journal: Journal) -> None:
    predictions(journal, START)
    journal.mark(START + PANE)
    predictions(journal, START + MINUTE, pane=START, segment=0)
    journal.mark(START + PANE + MINUTE)
    assert [alert.status for alert in found(journal)] == ["firing"]


def test_a_backlog_that_is_read_in_leaps_is_no_silence(journal: Journal) -> None:
    for minutes in range(0, 60, 10):  # input time moves on by ten minutes between two marks
        predictions(journal, START + minutes * 100, pane=START + minutes * MINUTE)
        journal.mark(START + minutes * MINUTE + PANE)
    assert found(journal) == []


def test_while_one_input_partition_stands_nothing_fires(journal: Journal) -> None:
    predictions(journal, START)
    journal.mark(START + PANE)
    for minutes in range(1, 9):
        journal.write(START + minutes * MINUTE, kind="mark", times={0: START + minutes * MINUTE})
    assert POLICY.input_partitions == 2
    assert found(journal) == []


def test_labels_are_expected_apart_from_predictions(journal: Journal) -> None:
    journal.joined(START, 1)
    for minutes in range(12):
        predictions(journal, START + minutes * MINUTE)
        journal.mark(START + minutes * MINUTE + PANE)
    journal.correction(START + 12 * MINUTE, 2, corrects=1)
    firing, resolved = found(journal, "no_labels")
    assert firing.opened_at == START + 5 * MINUTE + PANE
    assert (firing.value, firing.threshold, firing.severity) == (300, 300, "warning")
    assert resolved.summary == "labels come again, after none for 11 min"
    assert found(journal) == []


def test_a_label_that_cannot_be_scored_is_a_label(journal: Journal) -> None:
    for minutes in range(12):
        journal.joined(START + minutes * MINUTE, minutes, label=1)
        journal.mark(START + minutes * MINUTE + PANE)
    assert found(journal, "no_labels") == []


def test_a_new_spec_ends_it_and_expects_nothing_until_something_comes(journal: Journal) -> None:
    predictions(journal, START)
    journal.mark(START + PANE)
    journal.mark(START + 2 * MINUTE)
    expect = {"predictions_within": "30s"}
    journal.spec(START + 2 * MINUTE, seq=2, spec_hash="c" * 16, expect=expect)
    journal.mark(START + 9 * MINUTE)
    assert [(a.status, a.reason) for a in found(journal)] == [
        ("firing", None),
        ("resolved", "spec changed"),
    ]


@pytest.mark.parametrize("within", ["0s", "00ms"])
def test_within_no_time_at_all_is_refused_and_not_watched_where_it_was_recorded(
    within: str,
) -> None:
    with pytest.raises(ValidationError, match="must be longer than nothing"):
        Expect(predictions_within=within)
    journal = Journal()
    journal.spec(expect={"predictions_within": within})
    predictions(journal, START)
    journal.mark(START + PANE)
    journal.mark(START + MINUTE)
    assert found(journal) == []


def test_without_expectations_silence_is_no_incident() -> None:
    journal = Journal()
    journal.spec()
    predictions(journal, START)
    journal.mark(START + PANE)
    journal.mark(START + 60 * MINUTE)
    assert alerts(fold(journal.entries, new_fold())) == []
