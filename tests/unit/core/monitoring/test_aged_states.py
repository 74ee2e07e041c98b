"""A state of a whole horizon, or of a month of versions, costs what a young one costs.

Work is counted, never timed.
"""

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from driftline.core.monitoring import pane_tallies
from driftline.core.monitoring.fold import JournalFold, MonitorPolicy
from driftline.core.monitoring.tallies import Tally
from driftline_schemas.verdicts import Verdict
from tests.unit.core.monitoring.journal import START, TOPIC, Journal, alerts, fold, new_fold

PANE = 60_000
WEEK = 7 * 24 * 60  # panes
POLICY = MonitorPolicy(pane_ms=PANE, grace_ms=PANE, horizon_ms=WEEK * PANE, input_partitions=2)
FIRST = START // PANE
STRETCH = 1 << pane_tallies.STRETCH_BITS
VERSIONS = 50_000
FLOOR = {"metric": "accuracy", "below": 0.5, "over_labels": 20}


def aged(panes: int) -> JournalFold:
    """A model with so many panes up to now, of 60 predictions and 2 labels each."""
    monitor, journal = new_fold(POLICY), Journal()
    journal.spec(floors=[FLOOR])
    journal.bins()
    fold(journal.entries, monitor)
    performance = monitor.models["m"].performance
    for pane in range(FIRST - panes, FIRST):
        at = pane * PANE
        performance.predicted(pane, "v1", 60, at)
        for _ in range(2):
            performance.labelled(pane, "v1", "yes", "yes", at)
    monitor.revisions()
    return monitor


def labels(monitor: JournalFold, n: int, **changes: Any) -> list[Any]:
    """Folds labels of the newest pane in."""
    journal = Journal()
    for offset in range(n):
        journal.joined(START, 1_000_000 + offset, predicted_at=START - 1, **changes)
    return fold(journal.entries, monitor)


def snapshot(monitor: JournalFold) -> bytes:
    return orjson.dumps(monitor.snapshot())


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Tally]:
    """Every tally whose labels are looked at."""
    seen: list[Tally] = []
    labelled = Tally.labelled.fget  # type: ignore[attr-defined]  # mypy knows no `fget`

    def read(tally: Tally) -> int:
        seen.append(tally)
        return int(labelled(tally))

    monkeypatch.setattr(Tally, "labelled", property(read))
    return seen


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> list[Tally]:
    """Every tally that is written."""
    seen: list[Tally] = []
    row = Tally.row

    def write(tally: Tally) -> tuple[Any, ...]:
        seen.append(tally)
        return row(tally)

    monkeypatch.setattr(Tally, "row", write)
    return seen


def test_a_label_costs_the_same_after_a_week(reads: list[Tally]) -> None:
    monitor = aged(WEEK)
    reads.clear()
    labels(monitor, 10)
    assert len(reads) <= 10


def test_an_alert_tells_the_coverage_of_a_week_without_reading_it(reads: list[Tally]) -> None:
    monitor = aged(WEEK)
    reads.clear()
    (alert,) = alerts(labels(monitor, 20, label="no"))
    assert alert.check == "floor"
    assert alert.coverage == (2 * WEEK + 20) / (60 * WEEK)
    assert len(reads) <= 20


def test_a_checkpoint_writes_only_stretches_that_changed(rows: list[Tally]) -> None:
    monitor = aged(WEEK)
    before = snapshot(monitor)
    assert len(rows) >= WEEK
    rows.clear()
    labels(monitor, 10)
    after = snapshot(monitor)
    assert len(rows) <= STRETCH + 1  # and the month
    assert before != after


@pytest.mark.parametrize(
    "change",
    [
        lambda monitor: labels(monitor, 3),
        lambda monitor: monitor.models["m"].performance.predicted(FIRST - 70, "v2", 9, START),
        lambda monitor: monitor.models["m"].performance.corrected(
            FIRST - 130, "v1", "yes", ("yes", "no"), START
        ),
        lambda monitor: monitor.models["m"].performance.drop(FIRST - 150, None),
        lambda monitor: monitor.models["m"].performance.drop(FIRST - 128, None),
    ],
    ids=["labels", "late counts", "a correction", "panes that go", "stretches that go"],
)
def test_what_was_not_written_anew_is_as_if_it_had_been(
    change: Callable[[JournalFold], object],
) -> None:
    monitor, other = aged(200), aged(200)
    snapshot(monitor)
    change(monitor)
    change(other)
    assert snapshot(monitor) == snapshot(other)
    restored = JournalFold.restore(POLICY, TOPIC, 3, orjson.loads(snapshot(monitor)))
    assert snapshot(restored) == snapshot(other)
    performance = restored.models["m"].performance
    assert performance.coverage() == monitor.models["m"].performance.coverage()


def test_bytes_grow_with_panes_by_less_than_a_hundred_for_each() -> None:
    assert len(snapshot(aged(WEEK))) < 100 * WEEK


def month_of_versions(n: int) -> JournalFold:
    """A lineage that follows: each version makes 50 predictions, one of them 70; no pane is kept,
    as if all were history."""
    monitor = aged(1)
    performance = monitor.models["m"].performance
    performance.drop(FIRST, None)
    monitor.revisions()
    for number in range(n):
        version = f"{number:016x}"
        performance.predicted(FIRST - 1, version, 70 if number == n // 3 else 50, START)
        performance.labelled(FIRST - 1, version, "yes", "yes" if number % 10 else "no", START)
    return monitor


def test_a_month_of_versions_stays_small_and_names_the_one_that_predicted_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monitor, few = month_of_versions(VERSIONS), month_of_versions(100)
    assert len(snapshot(monitor)) < len(snapshot(few)) + 100
    added: list[Tally] = []
    monkeypatch.setattr(Tally, "add", lambda _self, other: added.append(other))
    (month,) = monitor.revisions()
    assert not added  # the sums are kept, not made
    assert isinstance(month, Verdict)
    assert month.model_version == f"{VERSIONS // 3:016x}"
    assert month.window.n == 60 + 50 * VERSIONS + 20
    assert month.revision == month.window.n + 2 + VERSIONS
    assert month.results[0].value == 1 - (VERSIONS // 10) / (2 + VERSIONS)
