"""Do the operators' commands tell the truth about a real installation, and mend it?"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from threading import Event, Thread
from time import monotonic, sleep
from typing import Any

import orjson
import pytest
import redis
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # exported, not declared so
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)
from typer.testing import CliRunner, Result

from driftline.cli.app import app
from driftline.runtime.clock import SystemClock
from driftline.servers import LocalServers
from driftline_schemas.fields import format_time
from driftline_schemas.partitioner import partition_of
from driftline_schemas.topics import DEAD_LETTERS, JOURNAL, LABELS, PREDICTIONS, Topic
from tests.integration.installation import Installation, installation

pytestmark = pytest.mark.integration

LATE_SECONDS = 4.0  # the label horizon


@pytest.fixture(scope="module")
def made(servers: LocalServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation with a joiner and a monitor; the tests use it one after the other."""
    folder = tmp_path_factory.mktemp("operators")
    prefix = f"ops-{token_hex(4)}"
    with installation(servers, prefix, folder, label_horizon=f"{LATE_SECONDS}s") as made:
        for role in ("joiner", "monitor"):
            made.start(role, f"{role}-0")
        made.wait_until_ready("joiner-0", "monitor-0")
        yield made


@pytest.fixture(autouse=True)
def _environment(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    made: Installation = request.getfixturevalue("made")
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)


def invoke(*arguments: str, code: int | None = 0) -> Result:
    result = CliRunner().invoke(app, arguments)
    assert code in (None, result.exit_code), result.output
    assert "Traceback" not in result.output
    return result


def lines(*arguments: str, code: int | None = 0) -> list[dict[str, Any]]:
    """The JSON lines that a command prints."""
    told = invoke(*arguments, "--json", code=code).stdout
    return [orjson.loads(line) for line in told.splitlines()]


def prediction(name: str, **fields: Any) -> dict[str, Any]:
    return {
        "prediction_id": name,
        "model": "churn",
        "model_version": "1",
        "predicted_at": format_time(SystemClock().now()),
        "features": {"age": 1.0},
        "prediction": "1",
        "producer": {"name": "shop", "version": "1.4"},
        **fields,
    }


def label(name: str, **fields: Any) -> dict[str, Any]:
    now = format_time(SystemClock().now())
    return {"prediction_id": name, "model": "churn", "label": "1", "labelled_at": now, **fields}


class Sender:
    """Puts events where they belong, or elsewhere."""

    def __init__(self, made: Installation) -> None:
        self._made = made
        self._producer = Producer({"bootstrap.servers": made.servers.brokers, "log_level": 0})

    def send(self, topic: Topic, *events: Mapping[str, Any], misplace: int = 0) -> None:
        for event in events:
            name = event["prediction_id"]
            place = (partition_of(name, topic.partitions) + misplace) % topic.partitions
            self.put(topic, orjson.dumps(event), name, place)
        assert self._producer.flush(10) == 0

    def put(self, topic: Topic, value: bytes, key: str, place: int) -> None:
        self._producer.produce(topic.full_name(self._made.prefix), value, key=key, partition=place)
        self._producer.flush(10)

    def pairs(self, tag: str, n: int) -> None:
        names = [f"{tag}-{i}" for i in range(n)]
        self.send(PREDICTIONS, *map(prediction, names))
        self.send(LABELS, *map(label, names))


@contextmanager
def traffic(sender: Sender, tag: str) -> Iterator[None]:
    """Some pairs a second, for as long as the block runs."""
    stop = Event()

    def work() -> None:
        turn = 0
        while not stop.wait(0.3):
            sender.pairs(f"{tag}-{turn}", 3)
            turn += 1

    thread = Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def wait_for(what: str, made: Installation, topic: Topic, at_least: int) -> list[dict[str, Any]]:
    give_up = monotonic() + 60
    while len(found := made.read(topic)) < at_least:
        assert monotonic() < give_up, f"{what}: {len(found)} of {at_least}"
        sleep(0.5)
    return found


def test_a_healthy_installation_is_well_and_the_doctor_is_silent(made: Installation) -> None:
    sender = Sender(made)
    with traffic(sender, "well"):
        sleep(3)
        (seen,) = lines("status")
        (diagnosis,) = lines("doctor")
    assert seen["ok"]
    assert seen["down"] == []
    assert seen["servers"]["kafka"] == "4.3"
    roles = {role["role"]: role for role in seen["roles"]}
    assert [member["name"] for member in roles["joiner"]["members"]] == ["joiner-0"]
    assert roles["joiner"]["coming_per_second"] > 0
    assert not roles["alerter"]["needed"]
    assert (diagnosis["errors"], diagnosis["warnings"]) == (0, 0), diagnosis["findings"]
    assert len(diagnosis["findings"]) == 9

    made.wait_for_lag("joiner")
    rows = lines("lag", "--role", "joiner")
    assert len(rows) == 32
    assert {row["lag"] for row in rows} == {0}
    screen = invoke("status").stdout
    for words in ("all is well", "Kafka 4.3", "joiner", "Incidents\n  none is open"):
        assert words in screen


def test_a_dead_letter_is_listed_shown_and_resent_to_where_it_belongs(made: Installation) -> None:
    sender = Sender(made)
    before = len(made.read(DEAD_LETTERS))
    wrong = [prediction(f"stray-{i}", producer={"name": "go-shop", "version": "0.3"})
             for i in range(3)]  # fmt: skip
    sender.send(PREDICTIONS, *wrong, misplace=1)
    sender.put(LABELS, b"x" * 300_000, "large", 0)
    sender.put(LABELS, b"{nonsense", "n", 0)
    wait_for("dead letters", made, DEAD_LETTERS, before + 5)

    listed = lines("deadletters", "list", "--reason", "misplaced", "--model", "churn")
    assert {row["producer"] for row in listed} == {"go-shop 0.3"}
    assert len(listed) == 3
    counts = {
        (c["reason"], c["topic"], c["producer"]): c["n"] for c in lines("deadletters", "count")
    }
    assert counts["misplaced", "predictions", "go-shop 0.3"] == 3
    (shown,) = lines("deadletters", "show", listed[0]["place"])
    assert orjson.loads(shown["text"])["prediction_id"].startswith("stray-")

    choice = ["deadletters", "resend", "--reason", "misplaced", "--topic", "predictions"]
    assert "run it again with --yes" in invoke(*choice, code=1).stderr
    assert [row["sent"] for row in lines(*choice, "--dry-run")] == [False] * 3
    assert len(made.read(DEAD_LETTERS)) == before + 5
    sent = lines(*choice, "--yes")
    assert [row["partition"] for row in sent] == [
        partition_of(orjson.loads(lines("deadletters", "show", row["place"])[0]["text"])[
            "prediction_id"], 16)
        for row in sent
    ]  # fmt: skip
    assert {row["origin"] for row in sent} <= lineages(made)
    assert lines(*choice, "--yes") == [
        {**{name: row[name] for name in ("place", "origin", "reason")}, "sent": False,
         "why": "sent again already"}
        for row in sent
    ]  # fmt: skip
    assert "3 stay: sent again already" in invoke(*choice, "--yes").stderr
    sender.send(LABELS, *(label(f"stray-{i}") for i in range(3)))
    give_up = monotonic() + 60
    while True:
        joined = {r["prediction_id"] for r in made.read(JOURNAL) if r["kind"] == "joined"}
        if {f"stray-{i}" for i in range(3)} <= joined:
            break
        assert monotonic() < give_up
        sleep(0.5)
    refused = invoke("deadletters", "resend", "--reason", "too_large", "--yes", code=1)
    assert "only 262,144 of its 300,000 bytes were kept" in refused.stderr
    assert (
        "No dead letter lies at 3:999999"
        in invoke("deadletters", "show", "3:999999", code=1).stderr
    )


def test_what_is_refused_for_itself_does_not_multiply(made: Installation) -> None:
    """With --again each run leaves one letter more, not twice as many."""
    Sender(made).put(LABELS, orjson.dumps({"prediction_id": "many", "model": 7}), "many", 0)
    choice = ["deadletters", "resend", "--reason", "missing_field", "--service", "joiner", "--yes"]
    for run in range(4):
        give_up = monotonic() + 60
        while len(letters := lines("deadletters", "list", *choice[2:-1])) <= run:
            assert monotonic() < give_up
            sleep(0.5)
        assert len(letters) == run + 1
        refused = lines(*choice, code=1)
        assert not any(row["sent"] for row in refused[:-1])
        assert "add --again" in refused[-1]["error"]
        sent = [row["place"] for row in lines(*choice, "--again") if row["sent"]]
        assert len(sent) == 1
    by_hand = lines("deadletters", "resend", *sent, *sent, "--again", "--dry-run")
    assert len(by_hand) == 1
    counted = lines("status", code=None)[0]["dead_letters_last_hour"]
    assert "unreadable" not in counted


def lineages(made: Installation) -> set[str]:
    """What the header of resent predictions names."""
    consumer = Consumer(
        {
            "bootstrap.servers": made.servers.brokers,
            "group.id": f"{made.prefix}.lineage",
            "log_level": 0,
            "auto.offset.reset": "earliest",
        }
    )
    consumer.subscribe([PREDICTIONS.full_name(made.prefix)])
    found: set[str] = set()
    give_up = monotonic() + 30
    while len(found) < 3 and monotonic() < give_up:
        for message in consumer.consume(500, 0.5):
            headers = dict(message.headers() or [])
            if isinstance(origin := headers.get("driftline-resent-from"), bytes):
                found.add(origin.decode())
    consumer.close()
    return found


def test_eight_planted_faults_are_named_by_the_doctor(
    made: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender, admin = (
        Sender(made),
        AdminClient({"bootstrap.servers": made.servers.brokers, "log_level": 0}),
    )
    client = redis.Redis.from_url(made.servers.redis_url)
    made.stop("monitor-0")
    stuck = Consumer({"bootstrap.servers": made.servers.brokers, "session.timeout.ms": 30_000,
                      "group.id": f"{made.prefix}.monitor.v1", "client.id": "asleep",
                      "enable.auto.commit": False, "log_level": 0})  # fmt: skip
    stuck.subscribe([JOURNAL.full_name(made.prefix)])
    future = format_time(SystemClock().now() + 3_600_000)
    sender.send(PREDICTIONS, *(prediction(f"late-{i}") for i in range(20)))
    sleep(LATE_SECONDS + 1)
    _configure(admin, f"{made.prefix}.labels.v1", "retention.ms", "3600000")  # 1
    sender.send(PREDICTIONS, *(prediction(f"cpp-{i}", producer={"name": "cpp-app", "version": "7"})
                               for i in range(5)), misplace=3)  # 2  # fmt: skip
    sender.send(PREDICTIONS, *(prediction(f"ahead-{i}", predicted_at=future,
                               producer={"name": "laptop", "version": "1"})
                               for i in range(5)))  # 3  # fmt: skip
    sender.send(LABELS, *(label(f"late-{i}") for i in range(20)))  # 4
    sender.send(PREDICTIONS, *(prediction(f"fraud-{i}", model="fraud") for i in range(5)))
    sender.send(LABELS, *(label(f"fraud-{i}", model="frod") for i in range(5)))  # 5
    client.config_set("maxmemory", "1gb")
    client.config_set("maxmemory-policy", "allkeys-lru")  # 6
    monkeypatch.setenv("DRIFTLINE_PANE_SECONDS", "7")  # 7
    try:
        while not stuck.assignment():
            stuck.poll(0.2)
        with traffic(sender, "stuck"):  # 8
            (diagnosis,) = lines("doctor", code=1)
    finally:
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", "0")
        _configure(admin, f"{made.prefix}.labels.v1", "retention.ms", str(14 * 86_400_000))
        stuck.close()
    told = [f["what"] for f in diagnosis["findings"] if f["severity"] != "ok"]
    for words in (
        f"{made.prefix}.labels.v1 keeps records for 1 h",
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
        future.result(10)


def test_a_role_forgets_its_state_only_when_nobody_plays_it_and_repeats_nothing(
    made: Installation,
) -> None:
    made.wait_for_lag("joiner")
    refused = invoke("rebuild", "joiner", "--yes", code=1).stderr
    assert refused.startswith("1 process in the group of the joiner (joiner-0) would write")
    made.stop("joiner-0")
    joined = [r["label_tp"] for r in made.read(JOURNAL) if r["kind"] == "joined"]
    (guess,) = lines("rebuild", "joiner", "--estimate")
    assert guess["records"] == sum(made.committed("joiner").values())
    assert guess["redis_keys"] >= 16
    assert "run it again with --yes" in invoke("rebuild", "joiner", code=1).stderr
    _until_nobody_is_in("joiner")
    (done,) = lines("rebuild", "joiner", "--yes")
    assert done["forgotten"]
    assert made.saved("joiner") == {}
    made.start("joiner", "joiner-0")
    made.wait_until_ready("joiner-0")
    made.wait_for_lag("joiner")
    sleep(3)
    again = [r["label_tp"] for r in made.read(JOURNAL) if r["kind"] == "joined"]
    assert sorted(map(str, again)) == sorted(map(str, joined))


def _until_nobody_is_in(role: str) -> None:
    give_up = monotonic() + 30
    while True:
        (seen,) = lines("status", code=None)
        members = next(r["members"] for r in seen["roles"] if r["role"] == role)
        if not members:
            return
        assert monotonic() < give_up


def test_what_is_down_is_told_with_exit_code_1(
    made: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = redis.Redis.from_url(made.servers.redis_url)
    client.execute_command("REPLICAOF", "127.0.0.1", "1")  # type: ignore[no-untyped-call]
    try:
        (seen,) = lines("status", code=1)
        assert "Redis takes no writes: it is a read-only replica." in seen["down"]
        (diagnosis,) = lines("doctor", code=1)
        assert "Redis is a replica and takes no writes." in [
            f["what"] for f in diagnosis["findings"]
        ]
    finally:
        client.execute_command("REPLICAOF", "NO", "ONE")  # type: ignore[no-untyped-call]
    assert "No monitor runs: start one with `driftline run monitor`." in seen["down"]

    monkeypatch.setenv("DRIFTLINE_REDIS_URL", "redis://127.0.0.1:1/0")
    (seen,) = lines("status", code=1)
    assert seen["down"][0].startswith("No Redis answers at 127.0.0.1:1/0")
    assert seen["servers"]["kafka"] == "4.3"
    gone = invoke("rebuild", "monitor", "--yes", code=1).stderr
    assert gone.startswith("No Redis answers at 127.0.0.1:1/0")
    assert len(gone.splitlines()) == 1


def test_another_prefix_sees_another_installation(
    made: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRIFTLINE_TOPIC_PREFIX", f"{made.prefix}x")
    (diagnosis,) = lines("doctor", code=1)
    (missing,) = [f for f in diagnosis["findings"] if f["check"] == "topics"]
    assert made.prefix in missing["what"]
    assert missing["mend"].startswith("Set DRIFTLINE_TOPIC_PREFIX to the installation you mean")
    for arguments in (["lag"], ["deadletters", "list"], ["rebuild", "joiner", "--yes"], ["models"],
                      ["deadletters", "show", "0:0"], ["topics", "check"], ["verify", "registry"],
                      ["hold", "m", "--reason", "r"], ["alerts", "tail"]):  # fmt: skip
        told = invoke(*arguments, code=1).stderr.splitlines()
        assert "`driftline topics init`" in told[0], (arguments, told)
        assert len(told) == 1 or arguments == ["topics", "check"]
    assert made.saved("joiner") != {}


def test_a_second_replay_of_a_file_is_noticed(made: Installation, tmp_path: Path) -> None:
    rows = tmp_path / "history.csv"
    rows.write_text("age,predicted,label\n" + "".join(f"{i},1,1\n" for i in range(30)))
    how = ["replay", str(rows), "--model", "churn", "--prediction", "predicted", "--label", "label"]
    first = invoke(*how)
    assert "Note:" not in first.stderr
    again = invoke(*how)
    assert again.stderr.startswith("Note: ids such as history-")
    assert "--ids again" in again.stderr
    assert lines(*how, "--ids", "again")[0]["used_before"] is False
