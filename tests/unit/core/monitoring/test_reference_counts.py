"""When do other counts take the place of the reference's, and what do they do to an incident?"""

from collections.abc import Callable

import orjson
import pytest

from driftline.core.monitoring.fold import JournalFold
from driftline_schemas.alerts import Alert
from tests.unit.core.monitoring.journal import (
    BINS_ID,
    PANE,
    POLICY,
    START,
    TOPIC,
    Entry,
    Journal,
    alerts,
    fold,
    new_fold,
    verdicts,
)

EVEN = [50, 50, 50, 50, 0, 0]
HIGH = [0, 0, 20, 180, 0, 0]
LOW = [180, 20, 0, 0, 0, 0]


class Story:
    """A model whose panes of 200 predictions come one after another; each mark closes the pane
    before the one that has just ended."""

    def __init__(self) -> None:
        self.journal = Journal()
        self.journal.spec()
        self.journal.bins()
        self.pane = START
        self.seq = 1

    def panes(self, *vectors: list[int], of: int = 200) -> "Story":
        for vector in vectors:
            self.journal.counts(self.pane, of, vector, pane=self.pane, partition=self.pane % 2)
            self.journal.mark(self.pane + PANE)
            self.pane += PANE
        return self

    def deployed(self, lineage: str, version: str | None = None) -> "Story":
        self.seq += 1
        self.journal.deployed(self.pane, self.seq, lineage, version)
        return self

    def accept(self, first: int, end: int, bins_id: str = BINS_ID) -> "Story":
        """Panes by number."""
        self.seq += 1
        panes = range(START + first * PANE, START + end * PANE)
        self.journal.accept_drift(self.pane, self.seq, panes, bins_id)
        return self

    def told(self) -> list[tuple[str, str]]:
        """Status of each revision of a data alert, and what features are compared with."""
        return [(a.status, _compared(a)) for a in self.found()]

    def found(self) -> list[Alert]:
        monitor = new_fold()
        found = [a for a in alerts(fold(self.journal.entries, monitor)) if a.check == "data"]
        self.changes = [(c.outcome, c.n) for _, c in monitor.reference_changes()]
        return found


def _compared(alert: Alert) -> str:
    for words in ("drifted from ", "differs from "):
        if words in alert.summary:
            return alert.summary.partition(words)[2].partition(" over ")[0]
    return alert.summary


def test_a_lineage_that_takes_over_in_an_incident_makes_its_panes_the_reference() -> None:
    story = Story().deployed("a").panes(EVEN, HIGH, HIGH).deployed("b").panes(*[HIGH] * 4)
    firing, resolved = story.told()
    assert firing == ("firing", "the reference")
    assert resolved == ("resolved", "the reference of b (200 predictions)")
    assert story.changes == [("waits", 0), ("taken", 200)]


def test_the_same_panes_again_are_drift_once_the_former_data_are_back() -> None:
    story = Story().deployed("a").panes(EVEN, HIGH, HIGH).deployed("b").panes(*[HIGH] * 4)
    story.panes(EVEN, EVEN, EVEN)
    *_, again = story.told()
    assert again == ("firing", "the reference of b (200 predictions)")


def test_a_lineage_that_served_before_gets_back_the_counts_that_it_had() -> None:
    story = Story().deployed("a").panes(EVEN, HIGH, HIGH).deployed("b").panes(*[HIGH] * 4)
    story.panes(EVEN, EVEN).deployed("a").panes(EVEN, EVEN, EVEN)
    *_, firing, resolved = story.told()
    assert firing == ("firing", "the reference of b (200 predictions)")
    assert resolved == ("resolved", "the reference")
    assert story.changes[-1] == ("taken_back", None)


def test_an_archived_fork_of_a_lineage_has_the_counts_of_that_lineage() -> None:
    story = Story().deployed("a").panes(EVEN, HIGH, HIGH).deployed("b").panes(*[HIGH] * 4)
    story.panes(EVEN, EVEN).deployed("a/archived-7").panes(EVEN, EVEN, EVEN)
    assert story.told()[-1] == ("resolved", "the reference")
    assert story.changes[-1] == ("taken_back", None)


def test_a_rollback_to_who_served_before_the_drift_finds_the_drift_again() -> None:
    story = Story().deployed("a").panes(EVEN, HIGH, HIGH).deployed("b").panes(*[HIGH] * 4)
    story.deployed("a").panes(*[HIGH] * 3)
    assert story.told()[-1] == ("firing", "the reference")


def test_a_block_is_compared_with_the_reference_of_when_its_predictions_were_made() -> None:
    story = Story().deployed("a").panes(EVEN, HIGH, HIGH).deployed("b").panes(*[HIGH] * 4)
    # The last of these panes closes after a is back, which would find it drifted.
    story.panes(HIGH, HIGH).deployed("a").panes(EVEN, EVEN, EVEN)
    assert [status for status, _ in story.told()] == ["firing", "resolved"]


def test_who_took_over_before_the_drifted_block_was_judged_did_so_in_its_incident() -> None:
    # A pane closes one pane after its end: b takes over in between.
    story = Story().deployed("a").panes(EVEN, HIGH).deployed("b").panes(*[HIGH] * 5)
    assert story.told() == [
        ("firing", "the reference"),
        ("resolved", "the reference of b (200 predictions)"),
    ]


def test_drift_that_begins_after_a_takeover_stays_drift() -> None:
    story = Story().deployed("a").panes(EVEN, EVEN).deployed("b").panes(EVEN, *[HIGH] * 6)
    assert story.told() == [("firing", "the reference")]
    assert story.changes == []


def test_what_resolves_before_there_are_enough_predictions_changes_nothing() -> None:
    story = Story().deployed("a").panes(EVEN, HIGH, EVEN).deployed("b").panes(EVEN)
    story.panes(EVEN, HIGH, HIGH)
    assert story.told() == [
        ("firing", "the reference"),
        ("resolved", "the reference"),
        ("firing", "the reference"),
    ]


def test_a_lineage_waits_until_its_panes_hold_200_predictions() -> None:
    story = Story().deployed("a").panes(EVEN, HIGH).panes([0, 0, 12, 108, 0, 0], of=120)
    story.deployed("b").panes(*[[0, 0, 12, 108, 0, 0]] * 8, of=120)
    assert story.told()[-1] == ("resolved", "the reference of b (240 predictions)")


def test_the_first_deployment_and_newer_versions_of_a_lineage_change_nothing() -> None:
    story = Story().panes(EVEN, HIGH, HIGH).deployed("a").panes(HIGH).deployed("a", "a-2")
    story.panes(HIGH, HIGH, HIGH)
    assert story.told() == [("firing", "the reference")]
    assert story.changes == []


def test_accepted_panes_are_the_reference_and_the_incident_is_judged_on() -> None:
    story = Story().panes(EVEN, HIGH, HIGH, HIGH).accept(1, 3).panes(HIGH, HIGH)
    assert story.told() == [
        ("firing", "the reference"),
        ("resolved", "the accepted reference (400 predictions)"),
    ]
    assert story.changes == [("taken", 400)]


def test_what_was_normal_before_is_drift_after_it_was_accepted() -> None:
    story = Story().panes(EVEN, HIGH, HIGH, HIGH).accept(1, 3).panes(HIGH, HIGH, EVEN, EVEN)
    assert story.told()[-1] == ("firing", "the accepted reference (400 predictions)")


def test_accepting_without_an_incident_makes_none_of_what_was_before() -> None:
    story = Story().panes(*[EVEN] * 4, LOW, LOW, LOW).accept(4, 6).panes(*[LOW] * 30)
    assert [status for status, _ in story.told()] == ["firing", "resolved"]


@pytest.mark.parametrize(
    ("panes", "bins_id", "change"),
    [
        ((3, 9), BINS_ID, ("too_few", 0)),
        ((5, 5), BINS_ID, ("too_few", 0)),
        ((1, 3), "e" * 16, ("other_bins", None)),
    ],
    ids=["panes that are open", "no panes", "bins that are not in force"],
)
def test_what_cannot_be_accepted_changes_nothing(
    panes: tuple[int, int], bins_id: str, change: tuple[str, int | None]
) -> None:
    story = Story().panes(EVEN, HIGH, HIGH, HIGH).accept(*panes, bins_id).panes(HIGH, HIGH)
    assert story.told() == [("firing", "the reference")]
    assert story.changes == [change]


def test_an_acceptance_that_is_read_again_changes_nothing() -> None:
    story = Story().panes(EVEN, HIGH, HIGH, HIGH).accept(1, 3)
    story.seq -= 1
    story.accept(0, 1).panes(HIGH, HIGH)
    assert story.told()[-1] == ("resolved", "the accepted reference (400 predictions)")
    assert story.changes == [("taken", 400)]


def test_another_spec_brings_its_own_reference_back() -> None:
    story = Story().panes(EVEN, HIGH, HIGH, HIGH).accept(1, 3)
    story.journal.spec(story.pane, seq=9, spec_hash="c" * 16)
    story.journal.bins(story.pane, seq=9)
    story.panes(HIGH, HIGH, HIGH)
    assert story.told()[-1] == ("firing", "the reference")


def test_the_edges_stay_and_verdicts_name_the_same_bins() -> None:
    story = Story().panes(EVEN, HIGH, HIGH, HIGH).accept(1, 3).panes(HIGH, HIGH)
    found = verdicts(fold(story.journal.entries, new_fold()), "data")
    assert {verdict.bins_id for verdict in found} == {BINS_ID}
    x = [verdict.results[0].outcome for verdict in found]
    assert x == ["ok", "drifted", "drifted", "ok", "ok"]
    compared = [verdict.results[0].reference for verdict in found]
    accepted = [2 * count for count in HIGH]
    assert compared == [None, None, None, accepted, accepted]


def test_a_takeover_leaves_the_reference_of_the_outputs() -> None:
    journal = Journal()
    journal.spec()
    feature = {"kind": "numeric", "edges": [0.0], "reference": [500, 500, 0, 0]}
    classes = {"kind": "categorical", "categories": ["a", "b"], "reference": [500, 500, 0, 0, 0, 0]}
    body = {
        "bins_id": BINS_ID,
        "effective_from": START,
        "features": {"x": feature, "y": feature},
        "prediction": classes,
        "n": 1_000,
    }
    journal.write(START, kind="control", action="bins", model="m", seq=1, body=body)
    journal.deployed(START, 2, "a")
    for i in range(8):
        if i == 3:
            journal.deployed(START + i * PANE, 3, "b")
        pane, outputs = START + i * PANE, [200, 0, 0, 0, 0, 0] if i < 3 else [100, 100, 0, 0, 0, 0]
        counts = {"x": [20, 180, 0, 0], "y": [100, 100, 0, 0]}
        about = {"pane": pane, "counts": counts, "prediction_counts": outputs}
        journal.counts(pane, 200, [], partition=i % 2, **about)
        journal.mark(pane + PANE)
    found = verdicts(fold(journal.entries, new_fold()), "data")
    outcomes = [[result.outcome for result in verdict.results] for verdict in found]
    assert outcomes[0] == ["drifted", "ok", "drifted"]
    assert outcomes[-1] == ["ok", "ok", "ok"]


STORIES: dict[str, Callable[[], Story]] = {
    "takeover and return": lambda: (
        Story().deployed("a").panes(EVEN, HIGH, HIGH).deployed("b").panes(*[HIGH] * 4)
        .panes(EVEN, EVEN).deployed("a").panes(EVEN, EVEN, HIGH, HIGH, HIGH)
    ),
    "takeover before the alarm": lambda: (
        Story().deployed("a").panes(EVEN, HIGH).deployed("b").panes(*[HIGH] * 5, *[LOW] * 3)
    ),
    "accepted": lambda: (
        Story().deployed("a").panes(EVEN, *[HIGH] * 20).accept(1, 14).panes(HIGH, HIGH, *[EVEN] * 3)
        .deployed("b").panes(EVEN, EVEN).deployed("a").panes(*[EVEN] * 3)
    ),
}  # fmt: skip


def _steps(entries: list[Entry], restart_at: int | None) -> list[object]:
    monitor, found = new_fold(), list[object]()
    for i, entry in enumerate(entries):
        if restart_at is not None and i >= restart_at:
            state = orjson.loads(orjson.dumps(monitor.snapshot()))
            monitor = JournalFold.restore(POLICY, TOPIC, 3, state)
        found += fold([entry], monitor)
    return [*found, orjson.dumps(monitor.snapshot())]


@pytest.mark.parametrize("make", STORIES.values(), ids=STORIES.keys())
def test_a_restart_before_any_record_changes_nothing(make: Callable[[], Story]) -> None:
    entries = make().journal.entries
    whole = _steps(entries, None)
    assert whole == _steps(entries, 0)
    for i in range(1, len(entries), 7):
        assert whole == _steps(entries, i)
