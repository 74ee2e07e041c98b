"""An alert is delivered once: after the alerter was away, and when the receiver is unwell."""

from collections.abc import Iterator
from pathlib import Path
from time import sleep
from typing import Any

import orjson
import pytest
from confluent_kafka import Producer

from driftline.cli.apply import apply_spec, make_bins
from driftline.cli.spec_file import load_spec
from driftline.demo.receiver import Answer, Kind, Receiver
from driftline.runtime.clock import SystemClock
from driftline.servers import LocalServers
from driftline_schemas.alerts import Alert, alert_id, fingerprint
from driftline_schemas.codec import encode
from driftline_schemas.fields import format_time
from driftline_schemas.topics import ALERTS, LABELS, NOTIFICATIONS, PREDICTIONS, Topic
from tests.integration.installation import Installation, installation
from tests.waiting import PATIENCE_SECONDS, until

KINDS: tuple[Kind, ...] = ("slack", "pagerduty", "webhook")

pytestmark = pytest.mark.integration


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def alert(offset: int, status: str = "firing", revision: int = 1) -> Alert:
    """A revision of the alert that the journal record at `offset` opened."""
    opened_by = ("journal", 0, offset)
    print_of_it = fingerprint("alpha", "error", "model")
    now = SystemClock().now()
    return Alert.model_validate(
        {
            "alert_id": alert_id(print_of_it, opened_by), "fingerprint": print_of_it,
            "status": status, "revision": revision, "at": now, "severity": "critical",
            "model": "alpha", "model_version": "v1", "check": "error", "scope": "model",
            "opened_at": now, "opened_by": opened_by, "n": 200, "summary": "accuracy fell",
            "replay": "driftline alerts tail",
        }
    )  # fmt: skip


def publish(made: Installation, *alerts: Alert) -> None:
    producer = Producer({"bootstrap.servers": made.servers.brokers})
    for each in alerts:
        producer.produce(ALERTS.full_name(made.prefix), encode(each), key=each.model)
    assert producer.flush(PATIENCE_SECONDS) == 0


def start(made: Installation, receiver: Receiver) -> None:
    made.start(
        "alerter",
        "a1",
        DRIFTLINE_SLACK_WEBHOOK_URL=receiver.url("slack"),
        DRIFTLINE_PAGERDUTY_URL=receiver.url("pagerduty"),
        DRIFTLINE_PAGERDUTY_ROUTING_KEY="r" * 32,
        DRIFTLINE_WEBHOOK_URL=receiver.url("webhook"),
    )


def test_an_alert_waits_for_the_alerter_and_is_delivered_once(
    servers: LocalServers, prefix: str, tmp_path: Path, receiver: Receiver
) -> None:
    with installation(servers, prefix, tmp_path) as made:
        start(made, receiver)
        publish(made, alert(1))
        assert receiver.wait_for(3, PATIENCE_SECONDS)
        made.wait_for_lag("alerter")
        made.kill("a1")
        publish(made, alert(2))
        start(made, receiver)
        assert receiver.wait_for(6, PATIENCE_SECONDS)
        made.wait_for_lag("alerter")
        sleep(2)  # a repeat would come at once
        for channel in KINDS:
            assert len(receiver.delivered(channel)) == 2
        keys = [body["dedup_key"] for body in receiver.delivered("pagerduty")]
        assert keys == [alert(1).alert_id, alert(2).alert_id]
        groups = [body["groupKey"] for body in receiver.delivered("webhook")]
        assert groups == [f"driftline:{key}" for key in keys]
        made.stop("a1")


def test_a_receiver_that_is_unwell_gets_it_once_at_the_right_times(
    servers: LocalServers, prefix: str, tmp_path: Path, receiver: Receiver
) -> None:
    with installation(servers, prefix, tmp_path) as made:
        receiver.script("slack", [Answer(429, {"Retry-After": "3"}), Answer(500)])
        start(made, receiver)
        publish(made, alert(1))
        until(lambda: receiver.delivered("slack"), lambda: made.log("a1"))
        made.wait_for_lag("alerter")
        tries = [each for each in receiver.received if each.kind == "slack"]
        assert [each.status for each in tries] == [429, 500, 200]
        assert tries[1].at - tries[0].at >= 3_000
        assert tries[2].at - tries[1].at >= 500
        sent = [n for n in made.read(NOTIFICATIONS) if n["channel"] == "slack"]
        assert [n["result"] for n in sent] == ["sent"]


def test_resolved_follows_firing_and_nobody_is_paged_twice(
    servers: LocalServers, prefix: str, tmp_path: Path, receiver: Receiver
) -> None:
    with installation(servers, prefix, tmp_path) as made:
        start(made, receiver)
        publish(made, alert(1), alert(1), alert(1, "resolved", 2), alert(1))
        made.wait_for_lag("alerter")
        sleep(2)  # a repeat would come at once
        actions = [body["event_action"] for body in receiver.delivered("pagerduty")]
        assert actions == ["trigger", "resolve"]
        assert [body["status"] for body in receiver.delivered("webhook")] == ["firing", "resolved"]


def apply_limits(made: Installation) -> None:
    """A specification of limits alone, without a reference."""
    path = made.folder / "spec.yaml"
    path.write_text(
        "model: limits\ntask: binary\nfeatures: [{name: x, kind: numeric}]\n"
        "floors: [{metric: accuracy, below: 0.9, over_labels: 20}]\n"
        "expect: {predictions_within: 8s}\n"
    )
    wanted = load_spec(path)
    bins = make_bins(path, wanted)
    apply_spec(made.settings, wanted, bins, actor="test", reason="test", agreed=True)


def send(made: Installation, topic: Topic, ids: range, **fields: Any) -> None:
    """One record for each id, as an app writes it."""
    producer = Producer(
        {"bootstrap.servers": made.servers.brokers, "partitioner": "murmur2_random"}
    )
    when = "predicted_at" if topic is PREDICTIONS else "labelled_at"
    for number in ids:
        now = format_time(SystemClock().now())
        record = {"prediction_id": f"p{number}", "model": "limits", when: now, **fields}
        name = topic.full_name(made.prefix)
        producer.produce(name, orjson.dumps(record), key=f"p{number}")
    assert producer.flush(PATIENCE_SECONDS) == 0


def predict(made: Installation, ids: range) -> None:
    send(made, PREDICTIONS, ids, model_version="v1", features={"x": 1.5}, prediction="yes")


def statuses(made: Installation, check: str, wanted: list[str]) -> list[dict[str, Any]]:
    """The revisions of a check's alerts, each once, when their statuses are these."""

    def found() -> list[dict[str, Any]]:
        known: dict[Any, dict[str, Any]] = {
            (a["alert_id"], a["revision"]): a for a in made.read(ALERTS) if a["check"] == check
        }
        return list(known.values())

    def as_wanted() -> list[dict[str, Any]] | None:
        alerts = found()
        return alerts if [alert["status"] for alert in alerts] == wanted else None

    return until(as_wanted, lambda: f"{check}: {found()}")


def test_a_floor_fires_and_is_retracted_and_silence_fires_and_resolves(
    servers: LocalServers, prefix: str, tmp_path: Path
) -> None:
    with installation(servers, prefix, tmp_path, pane_seconds="1") as made:
        apply_limits(made)
        made.start("joiner", "j1")
        made.start("monitor", "m1")
        made.wait_until_ready("j1", "m1")
        predict(made, range(20))
        send(made, LABELS, range(15), label="yes")
        made.wait_for_lag("joiner")
        send(made, LABELS, range(15, 20), label="no")
        (firing,) = statuses(made, "floor", ["firing"])
        assert (firing["value"], firing["n"], firing["coverage"]) == (0.75, 20, 1)
        made.kill("m1")  # the labels that fired are part of what it saved
        made.start("monitor", "m1")
        send(made, LABELS, range(15, 18), label="yes")
        _, retracted = statuses(made, "floor", ["firing", "retracted"])
        assert (retracted["value"], retracted["alert_id"]) == (0.9, firing["alert_id"])
        (silent,) = statuses(made, "no_predictions", ["firing"])
        assert 8 <= silent["value"] < 800  # seconds, more than 8 only where marks are late
        predict(made, range(20, 21))
        statuses(made, "no_predictions", ["firing", "resolved"])
