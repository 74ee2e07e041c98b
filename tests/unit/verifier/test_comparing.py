"""A joiner without faults is exact; each fault is told."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from tests.unit.verifier.logs import HOUR, MINUTE, NOON, RULES, Topics
from tests.verifier.compare import Report, verify_logs
from tests.verifier.reading import Record
from tests.verifier.times import rfc3339

CLOCK = 9 * HOUR
BINS = {"size": {"kind": "numeric", "edges": [1.0], "reference": [1, 1, 0, 0]}}

Change = Callable[[dict[str, Any]], dict[str, Any]]


def a_bit_of_everything() -> Topics:
    topics = Topics()
    topics.bins("0" * 16, BINS, at=0)
    topics.prediction("joined", at=1, features={"size": 1}, note={"kept": [1, None]})
    topics.label("joined", "sky", at=MINUTE)
    topics.prediction("corrected", at=2, features={"size": 0})
    topics.label("corrected", "sky", at=MINUTE)
    topics.label("corrected", "sea", at=2 * MINUTE)
    topics.label("corrected", "land", at=3 * MINUTE)
    topics.prediction("unlabelled", at=3)
    topics.label("orphan", "sky", at=MINUTE)
    topics.append("labels", b"{", at=4 * MINUTE)
    topics.join_faultlessly(clock=CLOCK)
    return topics


def verified(topics: Topics) -> Report:
    return verify_logs(topics.logs(), RULES, clock=NOON + CLOCK)


def change(topics: Topics, topic: str, kind: str, changed: Change) -> None:
    """Rewrites the first record of a kind."""
    records = topics.records[topic]
    for at, record in enumerate(records):
        document = orjson.loads(record.value or b"")
        if document.get("kind", topic) == kind:
            records[at] = record._replace(value=orjson.dumps(changed(document)))
            return
    raise AssertionError(f"no {kind} in {topic}")


def first(topics: Topics, topic: str, kind: str) -> Record:
    return next(
        record
        for record in topics.records[topic]
        if orjson.loads(record.value or b"").get("kind", topic) == kind
    )


def again(topics: Topics, topic: str, record: Record, /, **fields: Any) -> None:
    """Appends a record once more, with some fields changed."""
    value = orjson.dumps(orjson.loads(record.value or b"") | fields)
    key = record.key or b""
    topics.append(topic, value, at=CLOCK, partition=record.partition, key=key)


def test_a_joiner_without_faults_is_exact() -> None:
    report = verified(a_bit_of_everything())

    assert report.exact, report
    expected = {entry.kind: entry.expected for entry in report.comparisons}
    assert expected == {
        "joined": 2, "corrections": 2, "unmatched": 2, "dead letters": 1, "counts": 1,
    }  # fmt: skip
    assert str(report).startswith("exact\n")


@pytest.mark.parametrize("topic", ["journal", "unmatched", "dead-letters"])
def test_a_lost_record_is_missing_and_a_doubled_one_is_not_a_fault(topic: str) -> None:
    for lost in range(len(a_bit_of_everything().records[topic])):
        topics = a_bit_of_everything()
        topics.records[topic].append(topics.records[topic][lost]._replace(offset=999))
        assert verified(topics).exact
        assert sum(verified(topics).duplicates.values()) == 1
        topics.records[topic].pop()
        topics.records[topic].pop(lost)
        assert sum(len(entry.missing) for entry in verified(topics).comparisons) == 1


@pytest.mark.parametrize(
    ("topic", "kind", "fields"),
    [
        ("journal", "joined", {"label": "sea"}),
        ("journal", "joined", {"prediction_tp": [0, 99]}),
        ("journal", "joined", {"prediction_ts": NOON}),
        ("journal", "joined", {"note": None}),
        ("journal", "joined", {"added": 1}),
        ("journal", "correction", {"previous_label": "land"}),
        ("journal", "correction", {"model_version": "v9"}),
        ("journal", "counts", {"n": 2}),
        ("journal", "counts", {"skewed": 1}),
        ("journal", "counts", {"counts": {"size": [3, 0, 0, 0]}}),
        ("unmatched", "unmatched", {"source_ts": rfc3339(NOON)}),
        ("dead-letters", "dead-letters", {"reason": "poison"}),
        ("dead-letters", "dead-letters", {"length": 2}),
        ("dead-letters", "dead-letters", {"value": "fQ=="}),
    ],
)
def test_a_changed_record_is_different(topic: str, kind: str, fields: dict[str, Any]) -> None:
    topics = a_bit_of_everything()
    change(topics, topic, kind, lambda document: document | fields)

    report = verified(topics)

    assert sum(len(entry.different) for entry in report.comparisons) == 1
    assert not report.exact
    assert next(iter(fields)) in str(report)


@pytest.mark.parametrize(
    ("topic", "kind", "fields"),
    [
        ("journal", "joined", {"label_tp": [0, 99]}),
        ("journal", "counts", {"segment": 7}),
        ("journal", "counts", {"bins_id": "1" * 16}),
        ("unmatched", "unmatched", {"source_tp": [0, 99]}),
        ("dead-letters", "dead-letters", {"topic": "test.journal.v1"}),
    ],
)
def test_a_record_that_nothing_asked_for_is_extra(
    topic: str, kind: str, fields: dict[str, Any]
) -> None:
    topics = a_bit_of_everything()
    again(topics, topic, first(topics, topic, kind), **fields)

    report = verified(topics)

    assert sum(len(entry.extra) for entry in report.comparisons) == 1
    assert not report.exact


@pytest.mark.parametrize(
    ("topic", "kind", "fields"),
    [
        ("journal", "joined", {"label": "sea"}),
        ("journal", "counts", {"skewed": 9}),
        ("unmatched", "unmatched", {"prediction_id": "other"}),
    ],
)
def test_two_records_of_one_identity_must_be_equal(
    topic: str, kind: str, fields: dict[str, Any]
) -> None:
    topics = a_bit_of_everything()
    again(topics, topic, first(topics, topic, kind), **fields)

    report = verified(topics)

    assert report.violation_count == 1
    assert not report.exact


def test_of_counts_the_highest_n_wins_in_any_order() -> None:
    topics = a_bit_of_everything()
    counts = first(topics, "journal", "counts")
    again(topics, "journal", counts, n=1, counts={"size": [1, 0, 0, 0]})

    report = verified(topics)

    assert report.exact
    assert report.duplicates == {"counts": 1}


def test_counts_that_lose_from_a_bin_break_a_rule() -> None:
    topics = a_bit_of_everything()
    counts = first(topics, "journal", "counts")
    again(topics, "journal", counts, n=1, counts={"size": [0, 0, 0, 9]})

    assert verified(topics).violation_count == 1


def test_news_of_a_segment_after_the_next_began_is_lost_to_readers() -> None:
    topics = a_bit_of_everything()
    last = first(topics, "journal", "counts")
    topics.records["journal"].remove(last)
    again(topics, "journal", last, n=1, counts={"size": [1, 0, 0, 0]})
    again(topics, "journal", last, segment=1, n=1, counts={"size": [1, 0, 0, 0]})
    again(topics, "journal", last)

    report = verified(topics)

    assert report.late_segments == 1
    assert "after 1 began" in report.violations[0]


def test_a_replay_of_a_closed_segment_is_only_counted() -> None:
    topics = a_bit_of_everything()
    last = first(topics, "journal", "counts")
    again(topics, "journal", last, segment=1, pane=rfc3339(NOON + HOUR))
    again(topics, "journal", last)

    report = verified(topics)

    assert (report.late_segments, report.violation_count) == (1, 0)


def test_a_correction_before_its_joined_record_breaks_a_rule() -> None:
    topics = a_bit_of_everything()
    topics.records["journal"].reverse()

    assert "correction before its joined" in str(verified(topics))


def test_a_record_under_a_wrong_key_or_in_a_wrong_partition_breaks_a_rule() -> None:
    topics = a_bit_of_everything()
    journal = topics.records["journal"]
    journal[0] = journal[0]._replace(key=b"dolphin")
    journal[1] = journal[1]._replace(partition=journal[1].partition ^ 1)

    report = verified(topics)

    assert "key is not the model" in report.violations[0]
    assert "wrong partition" in report.violations[1]


def test_a_half_that_joins_and_is_unmatched_too_is_extra() -> None:
    topics = a_bit_of_everything()
    again(topics, "unmatched", first(topics, "unmatched", "unmatched"), source_tp=[0, 0])

    assert "joins" in verified(topics).unmatched.extra[0]


@pytest.mark.parametrize(("told", "extra"), [(RULES.horizon_ms - 1, 1), (CLOCK, 0)])
def test_the_clock_of_the_joiner_may_give_up_a_half_but_not_before_its_horizon(
    told: int, extra: int
) -> None:
    topics = Topics()
    topics.prediction("alone", at=0)
    topics.join_faultlessly(clock=CLOCK)
    [record] = topics.records["unmatched"]
    topics.records["unmatched"] = [record._replace(timestamp=NOON + told)]

    report = verify_logs(topics.logs(), RULES)

    assert len(report.unmatched.extra) == extra


def test_an_answer_at_the_edge_of_the_horizon_is_ambiguous_and_no_fault() -> None:
    topics = Topics()
    topics.prediction("edge", at=0)
    topics.label("edge", "sky", at=RULES.horizon_ms)
    topics.join_faultlessly(clock=CLOCK)
    joined = first(topics, "journal", "joined")
    topics.records["journal"].remove(joined)

    report = verified(topics)

    assert report.exact
    assert (report.joined.ambiguous, report.ambiguous_keys) == (1, 1)


def test_counts_may_differ_by_their_ambiguous_predictions_and_no_more() -> None:
    topics = Topics()
    topics.prediction("edge", at=0)
    topics.prediction("edge", at=RULES.horizon_ms + 1, predicted_at=rfc3339(NOON))
    topics.prediction("sure", at=0)
    topics.join_faultlessly(clock=CLOCK)
    for n, exact in ((2, True), (5, True), (6, False)):
        change(topics, "journal", "counts", lambda document, n=n: document | {"n": n})  # type: ignore[misc]
        assert verified(topics).counts.exact is exact


def test_marks_ahead_of_their_counts_are_reported() -> None:
    topics = a_bit_of_everything()
    [counts] = [
        record for record in topics.records["journal"] if b'"counts"' in (record.value or b"")
    ]
    mark = orjson.dumps({"kind": "mark", "times": {"0": rfc3339(NOON + MINUTE)}})
    topics.append("journal", mark, partition=counts.partition)
    assert verified(topics).early_marks == 0

    topics.records["journal"].remove(counts)
    assert verified(topics).early_marks == 1


@pytest.mark.parametrize(
    "value", [b"{", b"[]", b'{"kind":"odd","model":"whale"}', b'{"kind":"mark"}']
)
def test_what_no_reader_understands_breaks_a_rule(value: bytes) -> None:
    topics = a_bit_of_everything()
    topics.append("journal", value)

    assert verified(topics).violation_count >= 1
