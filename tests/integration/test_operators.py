"""Do the operators' commands tell the truth about a real installation, and mend it?

The first test looks at one that is well, the others do things to it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep
from typing import Any

import pytest
import redis
from confluent_kafka import Consumer
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # exported, not declared so
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from driftline.runtime.clock import SystemClock
from driftline_schemas.fields import format_time
from driftline_schemas.topics import JOURNAL, LABELS, PREDICTIONS, consumer_group
from tests.integration.installation import Installation
from tests.integration.operating import Sender, invoke, label, lines, prediction, traffic
from tests.waiting import PATIENCE_SECONDS, until

pytestmark = pytest.mark.integration

LABEL_HORIZON = "20s"  # long enough for pairs on a slow machine
LATE_SECONDS = 21.0


def steady(told: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The status, if events come and are committed while it looks."""
    (seen,) = told
    coming = [role["coming_per_second"] for role in seen["roles"] if role["role"] == "joiner"]
    return seen if seen["ok"] and coming[0] > 0 else None


def silent(told: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The diagnosis, if there is nothing to mend."""
    (diagnosis,) = told
    return diagnosis if not diagnosis["errors"] + diagnosis["warnings"] else None


def test_a_healthy_installation_is_well_and_the_doctor_is_silent(operated: Installation) -> None:
    sender = Sender(operated)
    with traffic(sender, "well"):
        # On a machine that is too busy for its joiner, they say so.
        seen = until(lambda: steady(lines("status", code=None)), "no traffic is seen")
        diagnosis = until(
            lambda: silent(lines("doctor", code=None)), lambda: str(lines("doctor", code=None))
        )
    assert seen["ok"]
    assert seen["down"] == []
    assert seen["servers"]["kafka"] == "4.3"
    roles = {role["role"]: role for role in seen["roles"]}
    assert [member["name"] for member in roles["joiner"]["members"]] == ["joiner-0"]
    assert roles["joiner"]["coming_per_second"] > 0
    assert not roles["alerter"]["needed"]
    assert (diagnosis["errors"], diagnosis["warnings"]) == (0, 0), diagnosis["findings"]
    assert len(diagnosis["findings"]) == 9

    operated.wait_for_lag("joiner")
    rows = lines("lag", "--role", "joiner")
    assert len(rows) == 32
    assert {row["lag"] for row in rows} == {0}
    screen = invoke("status").stdout
    for words in ("all is well", "Kafka 4.3", "joiner", "Incidents\n  none is open"):
        assert words in screen


@contextmanager
def without(made: Installation, role: str) -> Iterator[None]:
    """Nobody plays the role meanwhile."""
    made.stop(f"{role}-0")
    until(lambda: not members(role), f"the {role} is still a member")
    try:
        yield
    finally:
        made.start(role, f"{role}-0")
        made.wait_until_ready(f"{role}-0")


def members(role: str) -> list[Any]:
    """Who is in the group of a role."""
    (seen,) = lines("status", code=None)
    found: list[Any] = next(r["members"] for r in seen["roles"] if r["role"] == role)
    return found


@contextmanager
def asleep(made: Installation, role: str) -> Iterator[None]:
    """A member of the role's group that has its partitions and does nothing."""
    stuck = Consumer({"bootstrap.servers": made.servers.brokers, "session.timeout.ms": 60_000,
                      "group.id": consumer_group(made.prefix, role), "client.id": "asleep",
                      "enable.auto.commit": False, "log_level": 0})  # fmt: skip
    stuck.subscribe([JOURNAL.full_name(made.prefix)])
    try:
        until(lambda: stuck.poll(0.2) or stuck.assignment(), "it gets no partition", pause=0)
        yield
    finally:
        stuck.close()


def test_eight_planted_faults_are_named_by_the_doctor(
    operated: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender = Sender(operated)
    admin = AdminClient({"bootstrap.servers": operated.servers.brokers, "log_level": 0})
    client = redis.Redis.from_url(operated.servers.redis_url)
    sender.send(PREDICTIONS, *(prediction(f"late-{i}") for i in range(20)))
    sleep(LATE_SECONDS)
    sender.send(PREDICTIONS, *(prediction(f"cpp-{i}", producer={"name": "cpp-app", "version": "7"})
                               for i in range(5)), misplace=3)  # 2  # fmt: skip
    future = format_time(SystemClock().now() + 3_599_000)
    sender.send(PREDICTIONS, *(prediction(f"ahead-{i}", predicted_at=future,
                               producer={"name": "laptop", "version": "1"})
                               for i in range(5)))  # 3  # fmt: skip
    sender.send(LABELS, *(label(f"late-{i}") for i in range(20)))  # 4
    sender.send(PREDICTIONS, *(prediction(f"fraud-{i}", model="fraud") for i in range(5)))
    sender.send(LABELS, *(label(f"fraud-{i}", model="frod") for i in range(5)))  # 5
    with without(operated, "monitor"), asleep(operated, "monitor"), traffic(sender, "stuck"):  # 8
        _configure(admin, f"{operated.prefix}.labels.v1", "retention.ms", "3600000")  # 1
        client.config_set("maxmemory", "1gb")
        client.config_set("maxmemory-policy", "allkeys-lru")  # 6
        try:
            with monkeypatch.context() as other:
                other.setenv("DRIFTLINE_PANE_SECONDS", "7")  # 7
                (diagnosis,) = lines("doctor", code=1)
        finally:
            client.config_set("maxmemory-policy", "noeviction")
            client.config_set("maxmemory", "0")
            _configure(admin, f"{operated.prefix}.labels.v1", "retention.ms", str(14 * 86_400_000))
    told = [f["what"] for f in diagnosis["findings"] if f["severity"] != "ok"]
    for words in (
        f"{operated.prefix}.labels.v1 keeps records for 1 h",
        "5 of the 5 newest predictions of the producer cpp-app 7 lie in another partition",
        "5 of 5 newest predictions of producer laptop 1 have a predicted_at up to 59 min after",
        "labels of model 'churn' come too late: up to",
        "5 of 5 labels of model 'frod' name another model than their predictions, which say",
        "Redis evicts (allkeys-lru)",
        "DRIFTLINE_PANE_SECONDS is 7 here, and the installation was set up with 5",
        "The monitor (asleep) has committed nothing for",
    ):
        assert any(words in what for what in told), (words, told)
    assert all(f["mend"] for f in diagnosis["findings"] if f["severity"] != "ok")


def _configure(admin: AdminClient, topic: str, name: str, value: str) -> None:
    entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    for future in admin.incremental_alter_configs([resource]).values():
        future.result(PATIENCE_SECONDS)


def test_a_role_forgets_its_state_only_when_nobody_plays_it_and_repeats_nothing(
    operated: Installation,
) -> None:
    operated.wait_for_lag("joiner")
    refused = invoke("rebuild", "joiner", "--yes", code=1).stderr
    assert refused.startswith("1 process in the group of the joiner (joiner-0) would write")
    with without(operated, "joiner"):
        joined = joined_labels(operated)
        (guess,) = lines("rebuild", "joiner", "--estimate")
        assert guess["records"] == sum(operated.committed("joiner").values())
        assert guess["redis_keys"] >= 16
        assert "run it again with --yes" in invoke("rebuild", "joiner", code=1).stderr
        (done,) = lines("rebuild", "joiner", "--yes")
        assert done["forgotten"]
        assert operated.saved("joiner") == {}
    operated.wait_for_lag("joiner")
    sleep(3)
    assert joined_labels(operated) == joined


def joined_labels(made: Installation) -> list[str]:
    """Where the labels lie that have met their predictions."""
    return sorted(str(r["label_tp"]) for r in made.read(JOURNAL) if r["kind"] == "joined")


def test_what_is_down_is_told_with_exit_code_1(
    operated: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = redis.Redis.from_url(operated.servers.redis_url)
    with without(operated, "monitor"):
        client.execute_command("REPLICAOF", "127.0.0.1", "1")  # type: ignore[no-untyped-call]
        try:
            (seen,) = lines("status", code=1)
            (diagnosis,) = lines("doctor", code=1)
        finally:
            client.execute_command("REPLICAOF", "NO", "ONE")  # type: ignore[no-untyped-call]
        monkeypatch.setenv("DRIFTLINE_REDIS_URL", "redis://127.0.0.1:1/0")
        (without_redis,) = lines("status", code=1)
        gone = invoke("rebuild", "monitor", "--yes", code=1).stderr
    assert "Redis takes no writes: it is a read-only replica." in seen["down"]
    assert "No monitor runs: start one with `driftline run monitor`." in seen["down"]
    assert "Redis is a replica and takes no writes." in [f["what"] for f in diagnosis["findings"]]
    assert without_redis["down"][0].startswith("No Redis answers at 127.0.0.1:1/0")
    assert without_redis["servers"]["kafka"] == "4.3"
    assert gone.startswith("No Redis answers at 127.0.0.1:1/0")
    assert len(gone.splitlines()) == 1


def test_another_prefix_sees_another_installation(
    operated: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    until(lambda: operated.saved("joiner"), "the joiner saves nothing")
    monkeypatch.setenv("DRIFTLINE_TOPIC_PREFIX", f"{operated.prefix}x")
    (diagnosis,) = lines("doctor", code=1)
    (missing,) = [f for f in diagnosis["findings"] if f["check"] == "topics"]
    assert operated.prefix in missing["what"]
    assert missing["mend"].startswith("Set DRIFTLINE_TOPIC_PREFIX to the installation you mean")
    for arguments in (["lag"], ["deadletters", "list"], ["rebuild", "joiner", "--yes"], ["models"],
                      ["deadletters", "show", "0:0"], ["topics", "check"], ["verify", "registry"],
                      ["hold", "m", "--reason", "r"], ["alerts", "tail"]):  # fmt: skip
        told = invoke(*arguments, code=1).stderr.splitlines()
        assert "`driftline topics init`" in told[0], (arguments, told)
        assert len(told) == 1 or arguments == ["topics", "check"]
    assert operated.saved("joiner") != {}


def test_a_second_replay_of_a_file_is_noticed(operated: Installation, tmp_path: Path) -> None:
    rows = tmp_path / "history.csv"
    rows.write_text("age,predicted,label\n" + "".join(f"{i},1,1\n" for i in range(30)))
    how = ["replay", str(rows), "--model", "churn", "--prediction", "predicted", "--label", "label"]
    first = invoke(*how)
    assert "Note:" not in first.stderr
    again = invoke(*how)
    assert again.stderr.startswith("Note: ids such as history-")
    assert "--ids again" in again.stderr
    assert lines(*how, "--ids", "again")[0]["used_before"] is False
