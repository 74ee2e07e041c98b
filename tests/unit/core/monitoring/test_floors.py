"""Accuracy below the user's floor: when it fires, resolves and is retracted."""

from collections import OrderedDict
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.core.monitoring.fold import JournalFold
from driftline_schemas.alerts import Alert, alert_id, fingerprint
from tests.unit.core.monitoring.journal import POLICY, START, TOPIC, Journal, alerts, fold, new_fold

OVER = 10


def floors(below: float = 0.8, over_labels: int = OVER) -> list[dict[str, Any]]:
    return [{"metric": "accuracy", "below": below, "over_labels": over_labels}]


@pytest.fixture
def journal() -> Journal:
    journal = Journal()
    journal.spec(floors=floors())
    return journal


def labels(journal: Journal, marks: str) -> None:
    """One label after another: `+` agrees with its prediction, `-` does not."""
    for mark in marks:
        at = len(journal.entries)
        journal.joined(START + at * 100, at, label="yes" if mark == "+" else "no")


def correct(journal: Journal, corrects: int, *, right: bool) -> None:
    """Another label for the one that was written as entry number `corrects`."""
    at = len(journal.entries)
    label, previous = ("yes", "no") if right else ("no", "yes")
    about = {"label": label, "previous_label": previous}
    journal.correction(START + at * 100, at, corrects=corrects, **about)


def found(journal: Journal) -> list[Alert]:
    return [a for a in alerts(fold(journal.entries, new_fold())) if a.check == "floor"]


def test_it_fires_at_the_label_that_brings_accuracy_below_the_floor(journal: Journal) -> None:
    labels(journal, "+++++++--" + "++" + "-")
    (firing,) = found(journal)
    opened = journal.entries[-1]
    assert firing.opened_by == (TOPIC, 3, opened.offset)
    assert firing.fingerprint == fingerprint("m", "floor", "accuracy")
    assert firing.alert_id == alert_id(firing.fingerprint, firing.opened_by)
    assert firing.opened_at == firing.at == opened.time
    assert (firing.status, firing.severity, firing.scope) == ("firing", "error", "accuracy")
    assert (firing.n, firing.value, firing.threshold) == (OVER, 0.7, 0.8)
    assert firing.effect == pytest.approx(0.1)
    assert (firing.coverage, firing.model_version) == (1, "v1")
    assert firing.summary == (
        "threshold: accuracy 0.7 over the last 10 labels lies below the floor of 0.8 that the"
        " specification sets"
    )


def test_at_the_floor_nothing_fires(journal: Journal) -> None:
    labels(journal, "++++++++--" * 5)
    assert found(journal) == []


def test_before_so_many_labels_are_there_nothing_fires(journal: Journal) -> None:
    labels(journal, "-" * (OVER - 1))
    assert found(journal) == []


def test_it_resolves_when_half_as_many_labels_in_a_row_found_it_at_the_floor(
    journal: Journal,
) -> None:
    labels(journal, "+++++++---")  # below
    labels(journal, "+" * 7 + "++" + "++")
    assert [alert.status for alert in found(journal)] == ["firing"]
    labels(journal, "+")
    firing, resolved = found(journal)
    assert (resolved.status, resolved.revision, resolved.alert_id) == (
        "resolved", 2, firing.alert_id,
    )  # fmt: skip
    assert (resolved.value, resolved.n, resolved.coverage) == (1.0, OVER, 1)
    assert resolved.summary == (
        "threshold: accuracy is back at 1 over the last 10 labels, and was not below the floor of"
        " 0.8 for 5 labels"
    )


def test_a_dip_on_the_way_back_starts_the_count_anew_and_is_no_other_incident(
    journal: Journal,
) -> None:
    labels(journal, "+++++++---" + "+" * 9 + "---" + "+" * 20)
    firing, resolved = found(journal)
    assert (firing.status, resolved.status, resolved.revision) == ("firing", "resolved", 2)
    # Of the dip's three wrong labels (20 to 22) two are left from label 30 on.
    assert resolved.opened_by == firing.opened_by
    assert resolved.at == journal.entries[34].time
    assert "for 5 labels" in resolved.summary


def test_labels_before_it_fired_do_not_count_for_its_end(journal: Journal) -> None:
    labels(journal, "+" * 30 + "---" + "+" * 9)
    assert [alert.status for alert in found(journal)] == ["firing"]


def test_it_fires_again_under_another_id(journal: Journal) -> None:
    labels(journal, "+++++++---" + "+" * 20 + "---")
    first, resolved, second = found(journal)
    assert [a.status for a in (first, resolved, second)] == ["firing", "resolved", "firing"]
    assert first.alert_id == resolved.alert_id != second.alert_id


def test_corrections_that_refute_the_labels_that_fired_retract_the_alert(journal: Journal) -> None:
    labels(journal, "+++++++---")
    correct(journal, corrects=10, right=True)
    firing, retracted = found(journal)
    assert (retracted.status, retracted.revision) == ("retracted", 2)
    assert retracted.alert_id == firing.alert_id
    assert (retracted.value, retracted.threshold, retracted.n) == (0.8, 0.8, OVER)
    assert retracted.at == journal.entries[-1].time
    assert retracted.summary == (
        "threshold: as corrected, the 10 labels that opened this incident give accuracy 0.8, which"
        " is not below the floor of 0.8"
    )


def test_labels_that_fired_are_corrected_after_others_have_come(journal: Journal) -> None:
    labels(journal, "---+++++++" + "+++")  # the wrong ones are no longer among the last
    correct(journal, corrects=1, right=True)
    assert [alert.status for alert in found(journal)] == ["firing", "retracted"]


def test_a_correction_that_leaves_them_below_retracts_nothing(journal: Journal) -> None:
    labels(journal, "++++++----")
    correct(journal, corrects=10, right=True)
    correct(journal, corrects=10, right=True)
    assert [alert.status for alert in found(journal)] == ["firing"]


def test_while_the_last_labels_are_below_nothing_is_retracted(journal: Journal) -> None:
    labels(journal, "+++++++---" + "--")
    correct(journal, corrects=8, right=True)
    assert [alert.status for alert in found(journal)] == ["firing"]
    labels(journal, "+" * 20)
    assert [alert.status for alert in found(journal)] == ["firing", "resolved"]


def test_what_began_later_than_was_thought_is_not_retracted_afterwards(journal: Journal) -> None:
    labels(journal, "+++++++---" + "--")
    correct(journal, corrects=8, right=True)
    correct(journal, corrects=12, right=True)  # not one of those that fired
    correct(journal, corrects=11, right=True)
    assert [alert.status for alert in found(journal)] == ["firing"]


def test_an_alert_that_is_resolved_is_not_retracted(journal: Journal) -> None:
    labels(journal, "+++++++---" + "+" * 15)
    correct(journal, corrects=10, right=True)
    assert [alert.status for alert in found(journal)] == ["firing", "resolved"]


def test_a_correction_may_fire(journal: Journal) -> None:
    labels(journal, "++++++++--")
    correct(journal, corrects=4, right=False)
    (firing,) = found(journal)
    assert firing.opened_by[2] == journal.entries[-1].offset


def test_a_correction_of_a_label_that_is_no_longer_looked_at_changes_nothing(
    journal: Journal,
) -> None:
    labels(journal, "+" * OVER + "++++++++--")
    correct(journal, corrects=4, right=False)
    assert found(journal) == []


def test_numbers_where_the_spec_says_class_are_not_counted(journal: Journal) -> None:
    labels(journal, "+++++++--")
    journal.joined(START + 10_000, 900, label=1)
    assert found(journal) == []
    journal.correction(START + 10_001, 901, corrects=4, label=7)
    labels(journal, "-")
    assert [alert.value for alert in found(journal)] == [0.7]


def test_a_new_spec_ends_it_and_counts_from_the_start(journal: Journal) -> None:
    labels(journal, "-" * OVER)
    journal.spec(START + 60_000, seq=2, spec_hash="c" * 16, floors=floors(0.9))
    labels(journal, "-" * (OVER - 1))
    firing, ended = found(journal)
    assert (ended.status, ended.reason, ended.alert_id) == (
        "resolved", "spec changed", firing.alert_id,
    )  # fmt: skip
    labels(journal, "-")
    assert [alert.status for alert in found(journal)] == ["firing", "resolved", "firing"]


def test_new_bins_leave_it_alone(journal: Journal) -> None:
    labels(journal, "-" * OVER)
    journal.bins(START + 60_000, seq=2)
    assert [alert.status for alert in found(journal)] == ["firing"]


def test_floors_of_an_older_release_that_cannot_be_watched_are_passed_over() -> None:
    journal = Journal()
    recorded = [{"metric": "log_loss", "below": 0.5, "over_labels": 5}, *floors()]
    journal.spec(floors=recorded)
    labels(journal, "-" * 20)
    assert found(journal) == []


runs = st.tuples(st.sampled_from("+-"), st.integers(1, 12))
fix = st.tuples(st.just("fix"), st.integers(1, 30), st.booleans())
events = st.lists(st.one_of(runs, runs, fix), min_size=5, max_size=40).map(
    lambda drawn: [step for one in drawn for step in (one[0] * one[1] if len(one) == 2 else [one])]
)


@given(events)
@settings(max_examples=30, deadline=None)
def test_a_restart_after_every_record_changes_nothing(drawn: list[Any]) -> None:
    journal = Journal()
    journal.spec(floors=floors(0.5, 5))
    for event in drawn:
        if isinstance(event, str):
            labels(journal, event)
        else:
            correct(journal, corrects=len(journal.entries) - event[1], right=event[2])
    restarted, said = new_fold(), []
    for entry in journal.entries:
        said += fold([entry], restarted)
        state = orjson.loads(orjson.dumps(restarted.snapshot()))
        restarted = JournalFold.restore(POLICY, TOPIC, 3, state)
    plain = new_fold()
    assert said == fold(journal.entries, plain)
    assert (
        restarted.snapshot()["models"]["m"]["limits"] == plain.snapshot()["models"]["m"]["limits"]
    )


@given(events, st.sampled_from([1, 2, 5, 10]), st.sampled_from([0.3, 0.5, 0.8, 1.0]))
@settings(deadline=None)
def test_it_says_what_a_recount_from_the_journal_says(
    drawn: list[Any], over: int, below: float
) -> None:
    """Every figure anew from all labels as corrected so far, as slowly as can be."""
    journal = Journal()
    journal.spec(floors=floors(below, over))
    recorded: OrderedDict[int, bool] = OrderedDict()  # right or not, by entry
    expected: list[tuple[str, float]] = []
    opened: list[int] | None = None
    steady = 0
    for event in drawn:
        at = len(journal.entries)
        if isinstance(event, str):
            labels(journal, event)
            recorded[at] = event == "+"
        else:
            target = at - event[1]
            correct(journal, corrects=target, right=event[2])
            touched = recorded.get(target, event[2]) != event[2]
            if target in recorded:
                recorded[target] = event[2]
        last = list(recorded)[-over:]
        if len(last) < over:
            continue
        figure = sum(recorded[entry] for entry in last) / over
        if figure < below:
            steady = 0
            if opened is None:
                opened = last
                expected.append(("firing", figure))
            continue
        if isinstance(event, str):
            steady += 1
            if opened is not None and steady >= over / 2:
                opened = None
                expected.append(("resolved", figure))
        elif opened is not None and touched and target in opened:
            was = sum(recorded[entry] for entry in opened) / over
            if was >= below:
                opened = None
                expected.append(("retracted", was))
    assert [(alert.status, alert.value) for alert in found(journal)] == expected
