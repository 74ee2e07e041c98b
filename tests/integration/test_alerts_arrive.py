"""An alert is delivered once: after the alerter was away, and when the receiver is unwell."""

from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep

import pytest
from confluent_kafka import Producer

from driftline.demo.receiver import Answer, Receiver
from driftline.runtime.clock import SystemClock
from driftline.servers import LocalServers
from driftline_schemas.alerts import Alert, alert_id, fingerprint
from driftline_schemas.codec import encode
from driftline_schemas.topics import ALERTS, NOTIFICATIONS
from tests.integration.installation import Installation, installation

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
    assert producer.flush(10) == 0


def start(made: Installation, receiver: Receiver) -> None:
    made.start(
        "alerter",
        "a1",
        DRIFTLINE_SLACK_WEBHOOK_URL=receiver.url("slack"),
        DRIFTLINE_PAGERDUTY_URL=receiver.url("pagerduty"),
        DRIFTLINE_PAGERDUTY_ROUTING_KEY="r" * 32,
    )


def test_an_alert_waits_for_the_alerter_and_is_delivered_once(
    servers: LocalServers, prefix: str, tmp_path: Path, receiver: Receiver
) -> None:
    with installation(servers, prefix, tmp_path) as made:
        start(made, receiver)
        publish(made, alert(1))
        assert receiver.wait_for(2, 60)
        made.wait_for_lag("alerter")
        made.kill("a1")
        publish(made, alert(2))
        start(made, receiver)
        assert receiver.wait_for(4, 60)
        made.wait_for_lag("alerter")
        sleep(2)  # a repeat would come at once
        for channel in ("slack", "pagerduty"):
            assert len(receiver.delivered(channel)) == 2
        keys = [body["dedup_key"] for body in receiver.delivered("pagerduty")]
        assert keys == [alert(1).alert_id, alert(2).alert_id]
        assert made.stop("a1") < 15


def test_a_receiver_that_is_unwell_gets_it_once_at_the_right_times(
    servers: LocalServers, prefix: str, tmp_path: Path, receiver: Receiver
) -> None:
    with installation(servers, prefix, tmp_path) as made:
        receiver.script("slack", [Answer(429, {"Retry-After": "3"}), Answer(500)])
        start(made, receiver)
        publish(made, alert(1))
        deadline = monotonic() + 60
        while not receiver.delivered("slack"):
            assert monotonic() < deadline
            sleep(0.1)
        made.wait_for_lag("alerter")
        tries = [each for each in receiver.received if each.kind == "slack"]
        assert [each.status for each in tries] == [429, 500, 200]
        assert 3_000 <= tries[1].at - tries[0].at < 10_000
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
