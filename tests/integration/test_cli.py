"""Do the commands and the SDK work on a real Kafka, from an empty broker to replayed rows?"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, TopicPartition
from typer.testing import CliRunner

from driftline.cli.app import app
from driftline.core.fact_chain import Draft
from driftline.runtime.registry_log import RegistryError, RegistryWriter, read_registry
from driftline.sdk import Driftline
from driftline.servers import LocalServers
from driftline_schemas.journal import JOURNAL_RECORD
from driftline_schemas.partitioner import partition_of
from driftline_schemas.registry import Fact
from driftline_schemas.topics import ALERTS, JOURNAL, LABELS, PREDICTIONS, Topic
from tests.waiting import PATIENCE_SECONDS, until

pytestmark = pytest.mark.integration

SPEC = """\
model: churn
task: binary
features:
  - {name: age, kind: numeric}
  - {name: plan, kind: categorical}
reference:
  file: rows.csv
  label: label
  prediction: predicted
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    rows = "".join(f"{i % 60},{'gold' if i % 3 else 'free'},{i % 2},{i % 2}\n" for i in range(500))
    (tmp_path / "rows.csv").write_text(f"age,plan,predicted,label\n{rows}")
    (tmp_path / "spec.yaml").write_text(SPEC)
    return tmp_path / "spec.yaml"


@pytest.fixture(autouse=True)
def _environment(servers: LocalServers, prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTLINE_BROKERS", servers.brokers)
    monkeypatch.setenv("DRIFTLINE_TOPIC_PREFIX", prefix)
    monkeypatch.delenv("DRIFTLINE_LABEL_HORIZON", raising=False)


def command(*arguments: str | Path, code: int = 0) -> dict[str, Any]:
    """The one JSON line that a command prints."""
    result = CliRunner().invoke(app, [*map(str, arguments), "--json"])
    assert result.exit_code == code, result.output
    answer: dict[str, Any] = orjson.loads(result.stdout)
    return answer


def read_all(brokers: str, topic: Topic, prefix: str) -> list[Message]:
    """All records of a topic."""
    return list(_read(brokers, topic.full_name(prefix), topic.partitions))


def _read(brokers: str, topic: str, partitions: int) -> Iterator[Message]:
    consumer = Consumer(
        {"bootstrap.servers": brokers, "group.id": "test", "enable.partition.eof": True,
         "isolation.level": "read_committed"}
    )  # fmt: skip
    consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in range(partitions)])
    unread = set(range(partitions))
    while unread:
        (message,) = until(lambda: consumer.consume(1, 1.0), f"{topic} has no end")
        if (error := message.error()) is None:
            yield message
        elif error.name() == "_PARTITION_EOF":  # others tell of a broker that has just come back
            unread.discard(message.partition() or 0)
    consumer.close()


def facts_of(servers: LocalServers, prefix: str, count: int) -> list[Fact] | None:
    """So many facts; None while there are fewer. (A commit is answered before its mark is in the
    log, and until then a reader does not see it.)"""
    facts = read_registry(servers.brokers, prefix)
    return facts if len(facts) >= count else None


def test_topics_are_created_once_and_other_settings_are_refused(
    prefix: str, servers: LocalServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert f"{prefix}.labels.v1 is missing" in command("topics", "check", code=1)["error"]
    assert len(command("topics", "init")["created"]) == 14
    assert command("topics", "init") == {"prefix": prefix, "created": [], "installed": False}
    assert command("topics", "check")["faults"] == []
    (fact,) = until(lambda: facts_of(servers, prefix, 1), "the fact is lost")
    assert fact.body["partitions"]["labels"] == 16
    assert len(fact.body["topic_ids"]) == 14
    monkeypatch.setenv("DRIFTLINE_LABEL_HORIZON", "30d")
    assert "label_horizon_ms 604800000, not" in command("topics", "init", code=1)["error"]
    faults = command("topics", "check", code=1)["faults"]
    assert faults[0].endswith("must keep them 60 days (twice the label horizon).")


def test_apply_needs_an_installation(spec: Path) -> None:
    assert "run `driftline topics init`" in command("apply", spec, code=1)["error"]


def test_a_spec_is_applied_once_and_changed_only_with_consent(
    spec: Path, servers: LocalServers, prefix: str
) -> None:
    command("topics", "init")
    first = command("apply", spec)
    assert (first["status"], first["seq"]) == ("applied", 1)
    assert command("apply", spec)["status"] == "unchanged"
    spec.write_text(f"{SPEC}alarm_budget: 0.01\n")
    assert "--yes" in command("apply", spec, code=1)["error"]
    second = command("apply", spec, "--yes")
    assert (second["seq"], second["changes"]) == (2, ["+ alarm_budget: 0.01"])
    facts = until(lambda: facts_of(servers, prefix, 3), "a fact is lost")
    assert [fact.action for fact in facts] == ["installation", "apply_spec", "apply_spec"]

    records = read_all(servers.brokers, JOURNAL, prefix)
    assert {record.partition() for record in records} == {partition_of("churn", 8)}
    controls = [JOURNAL_RECORD.validate_json(record.value() or b"") for record in records]
    seqs = [(c.seq, c.action) for c in controls if c.kind == "control"]
    assert seqs == [(seq, action) for seq in (1, 1, 2) for action in ("spec", "bins")]


def test_a_writer_of_the_registry_is_fenced_by_a_later_one(
    servers: LocalServers, prefix: str
) -> None:
    command("topics", "init")
    draft = Draft("c", "hold", "ann", "a test", {"model": "churn"})
    with (
        RegistryWriter(servers.brokers, prefix, lambda: 1) as early,
        RegistryWriter(servers.brokers, prefix, lambda: 2) as late,
    ):
        assert late.append([draft])[0].seq == 1
        with pytest.raises(RegistryError, match="at the same time"):
            early.append([draft])
    assert len(until(lambda: facts_of(servers, prefix, 2), "the fact is lost")) == 2


def test_replayed_rows_lie_where_the_joiner_expects_them(
    spec: Path, servers: LocalServers, prefix: str
) -> None:
    command("topics", "init")
    rows = spec.parent / "rows.csv"
    totals = command("replay", rows, "--spec", spec, "--label-delay", "10rows", "--to-row", "99")
    assert (totals["rows"], totals["sent"], totals["dropped"]) == (100, 200, {})
    for topic in (PREDICTIONS, LABELS):
        ids = set()
        for record in read_all(servers.brokers, topic, prefix):
            event = orjson.loads(record.value() or b"")
            assert record.partition() == partition_of(event["prediction_id"], 16)
            ids.add(event["prediction_id"])
        assert ids == {f"rows-{i}" for i in range(100)}


def test_alerts_are_shown_to_their_end(servers: LocalServers, prefix: str) -> None:
    command("topics", "init")
    alert = (
        b'{"alert_id":"0123456789abcdef","fingerprint":"0123456789abcdef","status":"firing",'
        b'"revision":1,"at":"2026-11-25T21:00:00.000Z","severity":"error","model":"churn",'
        b'"model_version":"1","check":"error","scope":"model","opened_at":"2026-11-25T21:00:00'
        b'.000Z","opened_by":["driftline.journal.v1",0,7],"n":200,"summary":"the accuracy fell",'
        b'"replay":"driftline replay"}'
    )
    _produce(servers.brokers, ALERTS.full_name(prefix), [alert, b"not an alert"])
    shown = CliRunner().invoke(app, ["alerts", "tail", "--from-start", "--no-follow"])
    assert shown.stdout.startswith("FIRING    churn  error  the accuracy fell  (")
    assert "not JSON" in shown.stderr
    other = ["alerts", "tail", "--from-start", "--no-follow", "--model", "other"]
    assert CliRunner().invoke(app, other).stdout == ""


def _produce(brokers: str, topic: str, values: Sequence[bytes]) -> None:
    from confluent_kafka import Producer

    producer = Producer({"bootstrap.servers": brokers})
    for value in values:
        producer.produce(topic, value, key="churn")
    assert producer.flush(PATIENCE_SECONDS) == 0


def test_events_of_an_outage_arrive_in_order_when_the_broker_returns(
    servers: LocalServers, prefix: str
) -> None:
    command("topics", "init")
    with Driftline(servers.brokers, prefix) as client:
        assert client.check() == []
        client.log_label(model="m", prediction_id="same", label="0")
        assert client.flush(10) == 0
        servers.kill_kafka()
        try:
            for i in range(1, 200):
                assert client.log_label(model="m", prediction_id="same", label=str(i))
            # An error that has just come would be counted until it is told.
            assert min(client.statistics().queued for _ in range(3)) == 199
        finally:
            servers.start_kafka()
        assert client.flush(30) == 0
        assert client.statistics().sent == 200
    records = read_all(servers.brokers, LABELS, prefix)
    labels = [orjson.loads(record.value() or b"")["label"] for record in records]
    assert labels == [str(i) for i in range(200)]


def test_a_topic_that_is_missing_is_a_counted_failure_and_check_says_what_to_do(
    servers: LocalServers, prefix: str
) -> None:
    with Driftline(servers.brokers, prefix) as client:
        assert client.check() == [
            f"Topic {prefix}.{name}.v1 does not exist: run `driftline topics init`."
            for name in ("predictions", "labels")
        ]
