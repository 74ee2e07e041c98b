"""The life of the incidents: one alert id from firing to resolved."""

import pytest

from driftline_schemas.alerts import Alert, alert_id, fingerprint
from tests.unit.core.monitoring.journal import (
    PANE,
    START,
    TOPIC,
    Journal,
    alerts,
    fold,
    new_fold,
    verdicts,
)

EVEN = [50, 50, 50, 50, 0, 0]
HIGHER = [30, 30, 50, 90, 0, 0]
HIGHEST = [0, 0, 0, 200, 0, 0]


@pytest.fixture
def journal() -> Journal:
    journal = Journal()
    journal.spec()
    journal.bins()
    return journal


def panes(journal: Journal, *vectors: tuple[list[int], list[int]]) -> list[int]:
    """One pane of 200 predictions after another; the offsets of its counts and its mark."""
    offsets = []
    for x, y in vectors:
        pane = START + len([e for e in journal.entries if e.record.kind == "mark"]) * PANE
        offsets.append(journal.counts(pane, 200, x, pane=pane, counts={"x": x, "y": y}).offset)
        offsets.append(journal.mark(pane + 2 * PANE).offset)
    return offsets


def found(journal: Journal) -> list[Alert]:
    return alerts(fold(journal.entries, new_fold()))


def test_a_data_incident_fires_worsens_with_a_feature_and_resolves_with_its_whole_cause(
    journal: Journal,
) -> None:
    offsets = panes(journal, (EVEN, EVEN), (HIGHER, EVEN), (HIGHER, HIGHEST), (EVEN, EVEN))
    firing, worse, resolved = found(journal)
    assert [a.status for a in (firing, worse, resolved)] == ["firing", "worse", "resolved"]
    assert [a.revision for a in (firing, worse, resolved)] == [1, 2, 3]
    assert {a.alert_id for a in (firing, worse, resolved)} == {firing.alert_id}
    assert [cause.feature for cause in firing.cause] == ["x"]
    assert [cause.feature for cause in resolved.cause] == ["y", "x"]
    assert [cause.first_offset for cause in worse.cause] == [offsets[4], offsets[2]]


def test_an_alert_keeps_the_lineage_of_the_version_that_it_names(journal: Journal) -> None:
    journal.deployed(START, 2, "frozen", version="v1")
    panes(journal, (HIGHEST, EVEN))
    journal.deployed(START + 5 * PANE, 3, "hat")
    panes(journal, (EVEN, EVEN))
    assert [(a.status, a.model_version, a.lineage) for a in found(journal)] == [
        ("firing", "v1", "frozen"), ("resolved", "v1", "frozen"),
    ]  # fmt: skip


def test_an_alert_is_known_by_the_mark_that_closed_its_block(journal: Journal) -> None:
    offsets = panes(journal, (HIGHEST, EVEN))
    (firing,) = found(journal)
    assert firing.opened_by == (TOPIC, 3, offsets[1])
    assert firing.fingerprint == fingerprint("m", "data", "model")
    assert firing.alert_id == alert_id(firing.fingerprint, firing.opened_by)
    assert firing.at == firing.opened_at == START + 2 * PANE
    assert (firing.severity, firing.model_version, firing.n) == ("error", "v1", 200)
    assert firing.replay == "driftline alerts tail --model m --from-start --no-follow --json"
    assert firing.lineage is None
    assert firing.summary == (
        "1 of 2 features drifted from the reference over 200 predictions: x (effect 0.74)"
    )


def test_an_effect_that_doubles_makes_the_incident_worse_once(journal: Journal) -> None:
    panes(journal, (HIGHER, EVEN), (HIGHEST, EVEN), (HIGHEST, EVEN), (HIGHER, EVEN))
    statuses = [(alert.status, alert.revision) for alert in found(journal)]
    assert statuses == [("firing", 1), ("worse", 2)]


def test_what_one_mark_closes_is_one_revision(journal: Journal) -> None:
    journal.counts(START, 200, HIGHER)
    for ago in (1, 2):
        pane = START + ago * PANE
        counts = {"x": HIGHEST, "y": EVEN if ago == 1 else HIGHEST}
        journal.counts(pane, 200, HIGHEST, pane=pane, counts=counts)
    journal.mark(START + 4 * PANE)
    (firing,) = found(journal)
    assert (firing.status, firing.revision) == ("firing", 1)
    assert {cause.feature for cause in firing.cause} == {"x", "y"}


def test_drifted_predictions_are_in_the_verdict_and_cause_no_data_incident() -> None:
    journal = Journal()
    journal.spec()
    feature = {"kind": "numeric", "edges": [0.0], "reference": [500, 500, 0, 0]}
    classes = {"kind": "categorical", "categories": ["a", "b"], "reference": [500, 500, 0, 0, 0, 0]}
    body = {
        "bins_id": "d" * 16,
        "effective_from": START,
        "features": {"x": feature, "y": feature},
        "prediction": classes,
        "n": 1_000,
    }
    journal.write(START, kind="control", action="bins", model="m", seq=1, body=body)
    journal.counts(
        START,
        200,
        [100, 100, 0, 0],
        bins_id="d" * 16,
        counts={"x": [100, 100, 0, 0], "y": [100, 100, 0, 0]},
        prediction_counts=[200, 0, 0, 0, 0, 0],
    )
    journal.mark(START + 2 * PANE)
    out = fold(journal.entries, new_fold())
    (verdict,) = verdicts(out, "data")
    assert [r.outcome for r in verdict.results] == ["ok", "ok", "drifted"]
    assert alerts(out) == []


def labels(journal: Journal, n: int, *, wrong_every: int, start: int) -> None:
    for i in range(n):
        label = "no" if wrong_every and i % wrong_every == 0 else "yes"
        journal.joined(start + i * 100, start + i, label=label)


def test_an_error_incident_opens_at_the_label_that_fired_and_resolves() -> None:
    journal = Journal()
    journal.spec()
    labels(journal, 300, wrong_every=10, start=START)
    labels(journal, 200, wrong_every=1, start=START + 40_000)
    labels(journal, 300, wrong_every=10, start=START + 80_000)
    firing, resolved = found(journal)
    opened = next(e for e in journal.entries if e.offset == firing.opened_by[2])
    assert firing.opened_at == opened.time == firing.at
    assert (firing.check, firing.severity, firing.status) == ("error", "critical", "firing")
    assert firing.value is not None
    assert firing.threshold is not None
    assert firing.value < firing.threshold < 0.85
    assert firing.coverage == 1
    assert firing.summary.startswith("accuracy fell from 0.")
    assert (resolved.status, resolved.revision, resolved.n) == ("resolved", 2, 200)
    assert resolved.alert_id == firing.alert_id


def test_numbers_where_the_spec_says_class_are_counted_and_not_judged() -> None:
    journal = Journal()
    journal.spec()
    for i in range(300):
        journal.joined(START + i, i, label=1 if i >= 100 else "yes")
    monitor = new_fold()
    assert alerts(fold(journal.entries, monitor)) == []
    assert monitor.conflicts == 200


def test_a_new_spec_resolves_the_incidents_and_begins_anew(journal: Journal) -> None:
    panes(journal, (HIGHEST, EVEN))
    labels(journal, 200, wrong_every=0, start=START)
    labels(journal, 200, wrong_every=1, start=START + 40_000)
    change = journal.spec(START + 90_000, seq=2, spec_hash="c" * 16)
    data, error, *ends = found(journal)
    assert (data.check, error.check) == ("data", "error")
    assert [(end.check, end.status, end.reason) for end in ends] == [
        ("data", "resolved", "spec changed"),
        ("error", "resolved", "spec changed"),
    ]
    assert {end.at for end in ends} == {change.time}
    assert [end.alert_id for end in ends] == [data.alert_id, error.alert_id]
    assert [cause.feature for cause in ends[0].cause] == ["x"]


@pytest.mark.parametrize(
    ("seq", "spec_hash"), [(1, "c" * 16), (2, "a" * 16)], ids=["an old fact", "the same spec"]
)
def test_a_spec_that_is_not_new_changes_nothing(journal: Journal, seq: int, spec_hash: str) -> None:
    panes(journal, (HIGHEST, EVEN))
    journal.spec(START + 60_000, seq=seq, spec_hash=spec_hash)
    panes(journal, (HIGHEST, EVEN))
    assert [alert.status for alert in found(journal)] == ["firing"]
