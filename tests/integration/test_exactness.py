"""After kills, outages and restarts the topics hold what an offline recomputation gives."""

import os
import signal
from itertools import count
from pathlib import Path
from time import sleep
from typing import cast

import pytest
import redis
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from driftline.demo.receiver import Receiver
from driftline.runtime.clock import SystemClock
from driftline.servers import LocalServers
from driftline_schemas.fields import parse_time
from driftline_schemas.topics import ALERTS, JOURNAL, VERDICTS, consumer_group
from tests.integration.installation import Installation, installation
from tests.integration.verifying import apply_model, report
from tests.verifier.sending import send
from tests.verifier.traffic import Event, Model, Traffic
from tests.waiting import until

pytestmark = pytest.mark.integration

PAIRS = int(os.environ.get("DRIFTLINE_TEST_PAIRS", "20000"))
HORIZON_SECONDS = 60
MODELS = (Model("alpha"), Model("beta", ("v1", "v2")))
TRAFFIC_MS = 10_000  # from the first to the last predicted_at of a bout
PANE_MS = 5_000
SEEDS = count(1_000)  # of bouts that are not planned


def traffic(pairs: int, seed: int = 1) -> list[Event]:
    """Pairs of both models in turn, with every oddity in its share."""
    start = SystemClock().now() - 1_000
    step = TRAFFIC_MS / pairs
    return list(Traffic(seed, pairs, MODELS, partitions=16, start=start, step_ms=step))


def ready(made: Installation) -> None:
    """Bins are in force before the first prediction."""
    for model in MODELS:
        apply_model(made, model)
    sleep(3)  # the bins' lead: the clock of the log must pass it


def wait_until_it_lags(made: Installation, role: str) -> None:
    """Until records wait for the role: one that is quicker than we are gets more of them."""

    def lags() -> bool:
        if made.lag(role) > 0:
            return True
        send(made.servers.brokers, made.prefix, traffic(200, seed=next(SEEDS)))
        return False

    until(lags, f"nothing waits for the {role}", pause=0)


def test_a_killed_role_changes_nothing(servers: LocalServers, prefix: str, tmp_path: Path) -> None:
    """Each role is killed at lag > 0; then Redis is wiped at rest; then more comes."""
    with installation(servers, prefix, tmp_path, label_horizon=f"{HORIZON_SECONDS}s") as made:
        ready(made)
        for role, name in (("joiner", "j1"), ("joiner", "j2"), ("monitor", "m1")):
            made.start(role, name)
        made.wait_until_ready("j1", "j2", "m1")
        send(servers.brokers, prefix, traffic(PAIRS))
        for role, name in (("joiner", "j1"), ("monitor", "m1"), ("joiner", "j2")):
            wait_until_it_lags(made, role)
            made.kill(name)
            made.start(role, name)
        assert report(made, HORIZON_SECONDS).exact
        made.wait_for_lag("monitor")

        for name in ("j1", "j2", "m1"):
            made.stop(name)
        for role in ("joiner", "monitor"):
            saved = made.saved(role)
            assert saved
            assert {tp: o for tp, o in made.committed(role).items() if o} == {
                tp: o for tp, o in saved.items() if o
            }

        redis.Redis.from_url(servers.redis_url).flushall()
        for role, name in (("joiner", "j1"), ("joiner", "j2"), ("monitor", "m1")):
            made.start(role, name)
        made.wait_until_ready("j1", "j2", "m1")
        send(servers.brokers, prefix, traffic(PAIRS // 4, seed=2))
        assert report(made, HORIZON_SECONDS).exact


def test_a_frozen_joiner_that_wakes_changes_nothing(
    servers: LocalServers, prefix: str, tmp_path: Path
) -> None:
    """SIGSTOP past its session: its partitions move; SIGCONT: what it still writes counts once."""
    with installation(servers, prefix, tmp_path, label_horizon=f"{HORIZON_SECONDS}s") as made:
        ready(made)
        made.start("joiner", "j1")
        made.start("joiner", "j2")
        made.wait_until_ready("j1", "j2")
        events = traffic(PAIRS // 2)
        send(servers.brokers, prefix, events[: len(events) // 2])
        made.signal("j1", signal.SIGSTOP)
        send(servers.brokers, prefix, events[len(events) // 2 :], rate=len(events) / 24)
        made.signal("j1", signal.SIGCONT)
        assert report(made, HORIZON_SECONDS).exact


def test_a_broker_outage_heals_by_itself(
    servers: LocalServers, prefix: str, tmp_path: Path
) -> None:
    """The broker is killed under the joiner and comes back."""
    away = float(os.environ.get("DRIFTLINE_TEST_OUTAGE", "15"))
    with installation(servers, prefix, tmp_path, label_horizon="600s") as made:
        ready(made)
        made.start("joiner", "j1")
        made.wait_until_ready("j1")
        events = traffic(PAIRS // 2)
        send(servers.brokers, prefix, events[: len(events) // 2])
        wait_until_it_lags(made, "joiner")
        servers.kill_kafka()
        sleep(away)
        servers.start_kafka()
        send(servers.brokers, prefix, events[len(events) // 2 :])
        assert report(made, 600).exact


def test_the_number_of_monitors_changes_nothing(
    servers: LocalServers, prefix: str, tmp_path: Path
) -> None:
    """State and group wiped, three monitors instead of one: the same ids, and no second page."""
    steady, drifting = MODELS
    with Receiver() as receiver, installation(servers, prefix, tmp_path) as made:
        apply_model(made, steady)
        apply_model(made, drifting, shift=3.0)
        sleep(3)  # the bins' lead
        made.start("joiner", "j1")
        made.start("monitor", "m1")
        made.start(
            "alerter",
            "a1",
            DRIFTLINE_PAGERDUTY_URL=receiver.url("pagerduty"),
            DRIFTLINE_PAGERDUTY_ROUTING_KEY="r" * 32,
        )
        made.wait_until_ready("j1", "m1", "a1")
        send(servers.brokers, prefix, traffic(PAIRS // 2))
        made.wait_for_lag("joiner")
        wait_until_told(made)
        made.wait_for_lag("alerter")
        before, paged = identities(made), len(receiver.received)
        assert before["verdicts"]
        assert {a["model"] for a in made.read(ALERTS)} == {drifting.name}
        assert paged
        made.stop("m1")
        forget(made, "monitor")
        for name in ("m1", "m2", "m3"):
            made.start("monitor", name)
        made.wait_until_ready("m1", "m2", "m3")
        wait_until_told(made)
        made.wait_for_lag("alerter")
        assert identities(made) == before
        assert len(receiver.received) == paged


def identities(made: Installation) -> dict[str, set[tuple[object, object]]]:
    """Each verdict with its last revision, each alert with all of its own.

    Accuracy is revised at most once a checkpoint, so which revisions come between depends on time.
    """
    newest: dict[object, int] = {}
    for verdict in made.read(VERDICTS):
        revision = cast("int", verdict["revision"])
        newest[verdict["verdict_id"]] = max(revision, newest.get(verdict["verdict_id"], 0))
    return {
        "verdicts": set(newest.items()),
        "alerts": {(a["alert_id"], a["revision"]) for a in made.read(ALERTS)},
    }


def wait_until_told(made: Installation) -> None:
    """Until every pane of what was sent has closed, and all that follows from it is published."""
    closed = SystemClock().now() + TRAFFIC_MS + 3 * PANE_MS  # the grace is a pane

    def marked() -> int:
        """The time that every input partition has come to."""
        times: dict[str, int] = {}
        for record in made.read(JOURNAL):
            if record["kind"] == "mark":
                told = cast("dict[str, str]", record["times"])
                times |= {partition: parse_time(time) for partition, time in told.items()}
        return min(times.values(), default=0)

    until(lambda: marked() > closed, "panes stay open", pause=1)
    made.wait_for_lag("monitor")


def forget(made: Installation, role: str) -> None:
    """Delete the state and the group of a role."""
    group = consumer_group(made.prefix, role)
    client = redis.Redis.from_url(made.servers.redis_url)
    for key in client.scan_iter(match=f"{{{group}:*"):
        client.delete(key)
    admin = AdminClient({"bootstrap.servers": made.servers.brokers})

    def deleted() -> bool:
        try:
            admin.delete_consumer_groups([group])[group].result()
        except KafkaException:
            return False
        return True

    until(deleted, "it has members", pause=0.5)  # one is gone only when its session has ended
