"""Laws of the fold: repeats, restarts and the moments of asking change nothing."""

from collections.abc import Sequence
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.core.monitoring.fold import JournalFold
from driftline_schemas.alerts import Alert
from driftline_schemas.verdicts import Verdict
from tests.unit.core.monitoring.journal import (
    PANE,
    POLICY,
    START,
    TOPIC,
    Entry,
    Journal,
    fold,
    new_fold,
    verdicts,
)

MODELS = ("m", "n")
NUMERIC = "n"  # the model whose outputs are numbers
LIMITS: dict[str, Any] = {
    "expect": {"predictions_within": "9s", "labels_within": "12s"},
    "floors": [{"metric": "accuracy", "below": 0.9, "over_labels": 20}],
}
DRIFTED, NORMAL = (0.7, 0.1, 0.1, 0.1), (0.25, 0.25, 0.25, 0.25)

step = st.one_of(
    st.tuples(
        st.just("counts"),
        st.sampled_from(MODELS),
        st.integers(0, 1),  # input partition
        st.integers(1, 300),  # predictions
        st.booleans(),  # drifted
        st.integers(0, 3),  # panes ago
    ),
    st.tuples(
        st.just("labels"),
        st.sampled_from(MODELS),
        st.integers(1, 80),
        st.sampled_from([0, 9, 2, 1]),  # every so many are wrong
        st.integers(0, 4),  # panes late
    ),
    st.tuples(
        st.just("correction"),
        st.sampled_from(MODELS),
        st.integers(1, 60),  # labels ago
        st.sampled_from(["yes", "no"]),
    ),
    st.tuples(st.just("mark"), st.integers(1, 3)),
    st.tuples(st.just("segment"), st.integers(0, 1)),
    st.tuples(st.just("spec"), st.sampled_from(MODELS), st.sampled_from("ac")),
    st.tuples(st.just("deployed"), st.sampled_from(["a", "b", "a/archived-1", "c"])),
    st.tuples(st.just("accept"), st.integers(0, 9), st.integers(1, 9)),  # panes ago, panes
)


class Writer:
    """Turns drawn steps into a journal that a joiner could have written."""

    def __init__(self) -> None:
        self.journal = Journal()
        self.now = START
        self.labels = 0
        self.predicted_at = START
        self.segments = [0, 0]
        self.counted: dict[tuple[Any, ...], list[int]] = {}
        self.seq = 0
        self.lineage = ""

    def counts(self, model: str, partition: int, n: int, drifted: bool, ago: int) -> None:
        pane = max(START, (self.now // PANE - ago) * PANE)
        key = (model, partition, self.segments[partition], pane)
        vector = self.counted.setdefault(key, [0] * 6)
        for i, share in enumerate(DRIFTED if drifted else NORMAL):
            vector[i] += int(share * n) + (i == 0)
        about = {"model": model, "partition": partition, "segment": key[2], "pane": pane}
        self.journal.counts(self.now, sum(vector), vector, **about)

    def label(self, model: str, late: int, *, wrong: bool) -> None:
        self.labels += 1
        self.now += 20
        self.predicted_at = self.now - late * PANE
        at = self.predicted_at
        if model == NUMERIC:
            outputs: dict[str, Any] = {
                "prediction": 0.1,
                "label": 7 if wrong else int(self.labels % 10 == 0),
            }
        else:
            outputs = {"prediction": "yes", "label": "no" if wrong else "yes"}
        version = f"{self.lineage}-1" if self.lineage else "v1"
        about = {"predicted_at": at, "prediction_ts": at, "model_version": version, **outputs}
        self.journal.joined(self.now, self.labels, model=model, **about)

    def take(self, drawn: tuple[Any, ...]) -> None:
        kind, *rest = drawn
        if kind == "counts":
            self.counts(*rest)
        elif kind == "labels":
            model, times, every, late = rest
            for i in range(times):
                self.label(model, late, wrong=every > 0 and i % every == 0)
        elif kind == "correction":
            self.labels += 1  # what it corrects may be of the other model, or of none
            model, ago, label = rest
            about: dict[str, Any] = {"model": model, "predicted_at": self.predicted_at}
            if model == NUMERIC:
                about |= {"prediction": 0.1, "previous_label": 1, "label": 1e18}
            else:
                about |= {"previous_label": "yes" if label == "no" else "no", "label": label}
            self.journal.correction(self.now, self.labels, max(0, self.labels - ago), **about)
        elif kind == "mark":
            self.now += rest[0] * PANE
            self.journal.mark(self.now)
        elif kind == "segment":
            self.segments[rest[0]] += 1
        elif kind == "deployed":
            self.seq += 1
            self.lineage = rest[0]
            self.journal.deployed(self.now, self.seq, self.lineage)
        elif kind == "accept":
            self.seq += 1
            first = (self.now // PANE - rest[0]) * PANE
            self.journal.accept_drift(self.now, self.seq, range(first, first + rest[1] * PANE))
        else:
            self.seq += 1
            task = "regression" if rest[0] == NUMERIC else "binary"
            about = {"spec_hash": rest[1] * 16, "model": rest[0], "task": task}
            about |= {"expect": LIMITS["expect"]} if rest[0] == NUMERIC else LIMITS
            self.journal.spec(self.now, self.seq, **about)
            self.journal.bins(self.now, self.seq, model=rest[0])


@st.composite
def journals(draw: st.DrawFn) -> list[Entry]:
    writer = Writer()
    for model in MODELS:
        writer.take(("spec", model, "a"))
    for drawn in draw(st.lists(step, min_size=1, max_size=25)):
        writer.take(drawn)
    writer.take(("mark", 3))
    return writer.journal.entries


def restarted(monitor: JournalFold) -> JournalFold:
    return JournalFold.restore(POLICY, TOPIC, 3, orjson.loads(orjson.dumps(monitor.snapshot())))


def by_revision(found: Sequence[Verdict | Alert]) -> dict[tuple[str, int], Verdict | Alert]:
    """Raises if one revision said two things."""
    said: dict[tuple[str, int], Verdict | Alert] = {}
    for event in found:
        name = event.alert_id if isinstance(event, Alert) else event.verdict_id
        assert said.setdefault((name, event.revision), event) == event
    return said


@given(journals(), st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 10_000)), max_size=12))
@settings(max_examples=60, deadline=None)
def test_a_record_that_is_repeated_later_changes_nothing(
    entries: list[Entry], repeats: list[tuple[int, int]]
) -> None:
    with_repeats = list(entries)
    for i, (which, where) in enumerate(repeats):
        first = which % len(entries)
        place = first + where % (len(entries) - first)
        near = entries[place]
        with_repeats.append(Entry(near.offset + 1 + i % 9, near.time, entries[first].record))
    with_repeats.sort(key=lambda entry: entry.offset)
    plain, repeated = new_fold(), new_fold()
    assert fold(entries, plain) == fold(with_repeats, repeated)
    assert plain.revisions() == repeated.revisions()


places = st.sets(st.integers(0, 10_000), max_size=8)


@given(journals(), places, places)
@settings(max_examples=60, deadline=None)
def test_a_restart_at_any_record_changes_nothing(
    entries: list[Entry], restarts: set[int], asked: set[int]
) -> None:
    plain, monitor = new_fold(), new_fold()
    for i, entry in enumerate(entries):
        if i in {place % len(entries) for place in restarts}:
            monitor = restarted(monitor)
        assert fold([entry], monitor) == fold([entry], plain)
        if i in {place % len(entries) for place in asked}:
            assert monitor.revisions() == plain.revisions()
    monitor = restarted(monitor)
    assert monitor.revisions() == plain.revisions()
    assert orjson.dumps(monitor.snapshot()) == orjson.dumps(plain.snapshot())


@given(journals(), places)
@settings(max_examples=60, deadline=None)
def test_a_revision_says_the_same_whenever_it_is_asked_for(
    entries: list[Entry], asked: set[int]
) -> None:
    often, once = new_fold(), new_fold()
    found: list[Verdict | Alert] = []
    last = fold(entries, once) + list(once.revisions())
    for i, entry in enumerate(entries):
        found += fold([entry], often)
        found += often.revisions() if i in {place % len(entries) for place in asked} else []
    found += often.revisions()
    seen_often, seen_once = by_revision(found), by_revision(last)
    assert {k: v for k, v in seen_once.items() if k in seen_often} == seen_once


def test_the_laws_are_tried_on_journals_that_make_incidents() -> None:
    for model in MODELS:
        writer = Writer()
        writer.take(("spec", model, "a"))
        for model_is_wrong in (0, 1):
            for _ in range(4):
                writer.take(("counts", model, 0, 250, model_is_wrong == 1, 0))
                writer.take(("labels", model, 60, model_is_wrong, 0))
                writer.take(("mark", 1))
        writer.take(("mark", 3))
        monitor = new_fold()
        found = fold(writer.journal.entries, monitor)
        checks = {alert.check for alert in found if isinstance(alert, Alert)}
        floors = set() if model == NUMERIC else {"floor"}
        assert checks == {"data", "error", "no_predictions", "no_labels"} | floors
        assert verdicts(monitor.revisions(), "performance")
