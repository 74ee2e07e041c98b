"""Is there one chain and one truth on a real Kafka, whoever is frozen, killed or asks twice?"""

import signal
from collections.abc import Iterator
from pathlib import Path
from time import sleep
from typing import Any

import httpx
import orjson
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]
from typer.testing import CliRunner

from driftline.cli import sending
from driftline.cli.app import app
from driftline.core.registry.deciding import decide
from driftline.core.registry.decision import Moment
from driftline.core.registry.state import RegistryState
from driftline.runtime.command_log import has_owner
from driftline.runtime.registry_log import RegistryWriter, read_records, read_registry
from driftline.servers import LocalServers
from driftline_schemas.registry import Fact, RegistryCommand
from driftline_schemas.topics import DEPLOYMENTS, JOURNAL, REGISTRY
from tests.integration.installation import Installation, installation
from tests.unit.core.registry.book import command, spec, version
from tests.waiting import PATIENCE_SECONDS, until

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("patient")]

SPEC = spec()


@pytest.fixture
def made(
    servers: LocalServers, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Installation]:
    with installation(servers, prefix, tmp_path) as made:
        for name, value in made.environment.items():
            monkeypatch.setenv(name, value)
        yield made


def facts_of(made: Installation) -> list[Fact]:
    return read_registry(made.servers.brokers, made.prefix)


def wait_for(made: Installation, *commands: RegistryCommand) -> list[Fact]:
    """Until each has its fact; all facts."""
    wanted = {each.command_id for each in commands}
    until(lambda: wanted <= {fact.command_id for fact in facts_of(made)}, "facts are missing")
    return facts_of(made)


def begin(made: Installation) -> None:
    """A spec, and versions `sm/v1` (which serves) and `lr/v1`."""
    sm, lr = (version(SPEC["spec_hash"], pipeline, 1) for pipeline in ("sm", "lr"))
    commands = [
        command("spec", "apply_spec", SPEC, not_after="2999-01-01T00:00:00.000Z"),
        command("sm1", "model_updated", sm),
        command("lr1", "model_updated", lr),
    ]
    made.give(*commands)
    facts = wait_for(made, *commands)
    assert [fact.outcome for fact in facts] == ["accepted"] * 4


def to_and_fro(count: int) -> list[RegistryCommand]:
    """Promotions of the two versions in turn, none of which lapses."""
    return [
        command(f"p{i}", "promote", {"model": "churn", "version": f"{'lr' if i % 2 else 'sm'}/v1"},
                not_after="2999-01-01T00:00:00.000Z")
        for i in range(1, count + 1)
    ]  # fmt: skip


def controls(made: Installation) -> list[tuple[int, str]]:
    """Sequence and action of each control record that a reader acts on."""
    seen: dict[str, int] = {}
    acted = []
    for record in made.read(JOURNAL):
        action, seq = str(record["action"]), record["seq"]
        assert isinstance(seq, int)
        if seq > seen.get(action, -1):
            seen[action] = seq
            acted.append((seq, action))
    return acted


def deployed(facts: list[Fact]) -> list[tuple[int, int]]:
    """Fact and deployment sequence of each deployment."""
    return [(f.seq, f.body["deployed"]["deployment_seq"]) for f in facts if "deployed" in f.body]


def assert_one_truth(made: Installation) -> None:
    """Facts, deployments and control records say the same, and every command has one fact."""
    facts = facts_of(made)
    names = [fact.command_id for fact in facts]
    assert sorted(set(names)) == sorted(names)
    assert [seq for _, seq in deployed(facts)] == list(range(1, len(deployed(facts)) + 1))
    state = RegistryState()
    for fact in facts:
        state.apply(fact)
    newest = max(made.read(DEPLOYMENTS), key=lambda record: int(str(record["seq"])))
    assert newest["seq"] == state.models["churn"].deployment_seq
    told = [seq for seq, action in controls(made) if action == "deployed"]
    assert told == [seq for seq, _ in deployed(facts)]
    assert driftline("verify", "registry")["whole"]


def driftline(*arguments: str, code: int = 0) -> dict[str, Any]:
    result = CliRunner().invoke(app, [*arguments, "--json"])
    assert result.exit_code == code, result.output
    lines = result.stdout.splitlines()
    answer: dict[str, Any] = orjson.loads(lines[-1]) if lines else {}
    return answer


def test_a_frozen_owner_that_wakes_changes_nothing(made: Installation) -> None:
    made.start("registry", "a")
    begin(made)
    made.start("registry", "b")
    commands = to_and_fro(60)
    made.give(*commands[:20])  # it is frozen in the midst of these
    until(lambda: len(facts_of(made)) > 6, "the first owner decides nothing")
    made.signal("a", signal.SIGSTOP)
    made.give(*commands[20:40])
    wait_for(made, *commands[:40])
    made.signal("a", signal.SIGCONT)
    made.give(*commands[40:])
    made.give(*commands[10:50])  # a client that tries again
    facts = wait_for(made, *commands)
    assert [fact.outcome for fact in facts] == ["accepted"] * 64
    made.wait_for_lag("registry")
    ended = {name: process.poll() for name, process in made.running.items()}
    assert set(ended.values()) <= {None, 1}
    assert None in ended.values()
    for name, code in ended.items():
        if code == 1:
            assert "another owner of the registry has taken over" in made.log(name)
    assert_one_truth(made)


def test_an_owner_that_was_killed_ten_times_loses_and_doubles_nothing(made: Installation) -> None:
    made.start("registry", "a")
    begin(made)
    commands = to_and_fro(100)
    for i in range(10):
        made.give(*commands[i * 10 : i * 10 + 10])
        sleep(0.05 * (i % 7))
        made.kill("a")  # anywhere: before, between or after commit, controls and offsets
        made.start("registry", "a")
        if i % 4 == 3:
            wait_for(made, *commands[: i * 10 + 10])
    facts = wait_for(made, *commands)
    assert [fact.outcome for fact in facts] == ["accepted"] * 104
    made.wait_for_lag("registry")
    made.stop("a")
    assert_one_truth(made)


def test_a_crash_between_commit_and_control_records_is_made_good(made: Installation) -> None:
    made.start("registry", "a")
    begin(made)
    made.wait_for_lag("registry")
    made.stop("a")
    told = len(made.read(JOURNAL))
    (promotion,) = to_and_fro(1)
    # What an owner leaves that dies right after its commit: the fact, and an offset before it.
    made.give(promotion)
    state = RegistryState()
    with RegistryWriter(made.servers.brokers, made.prefix, lambda: 1, state.apply) as writer:
        decision = decide(state, promotion, Moment(1, 1))
        assert decision is not None
        writer.append([decision.draft])
    assert len(made.read(JOURNAL)) == told
    made.start("registry", "a")
    until(lambda: len(made.read(JOURNAL)) > told, "the control record did not come")
    made.wait_for_lag("registry")
    made.stop("a")
    assert [fact.command_id for fact in facts_of(made)].count("p1") == 1
    assert_one_truth(made)


def test_verify_names_the_first_fact_that_was_changed(
    made: Installation, servers: LocalServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.start("registry", "a")
    begin(made)
    made.stop("a")
    assert driftline("verify", "registry")["facts"] == 4
    records = list(read_records(servers.brokers, made.prefix))
    position = records[2].index(b'"because"') + 3
    records[2] = (
        records[2][:position] + bytes([records[2][position] ^ 1]) + records[2][position + 1 :]
    )
    forged = f"{made.prefix}-forged"
    admin = AdminClient({"bootstrap.servers": servers.brokers})
    created = admin.create_topics([NewTopic(REGISTRY.full_name(forged), 1, 1)])
    created[REGISTRY.full_name(forged)].result(PATIENCE_SECONDS)
    producer = Producer({"bootstrap.servers": servers.brokers, "log_level": 0})
    for raw in records:
        producer.produce(REGISTRY.full_name(forged), raw, partition=0)
    assert producer.flush(PATIENCE_SECONDS) == 0
    monkeypatch.setenv("DRIFTLINE_TOPIC_PREFIX", forged)
    said = driftline("verify", "registry", code=1)["error"]
    assert said == (
        "Broken: fact 2 was changed after it was written. The 2 facts before it are whole."
    )


def test_people_s_commands_are_answered_in_one_sentence(
    made: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix = made.prefix
    assert "No spec of 'churn'" in driftline("versions", "churn", code=1)["error"]
    made.start("registry", "a")
    begin(made)
    assert has_owner(made.servers.brokers, prefix)
    because = ("--reason", "a test")
    assert driftline("models")["serving"] == "churn/sm/v1"
    assert driftline("versions", "churn")["name"] == "churn/lr/v1"
    assert (
        "did you mean 'churn'" in driftline("promote", "chrn", "lr/v1", *because, code=1)["error"]
    )
    assert "no version" in driftline("promote", "churn", "lr/v9", *because, code=1)["error"]
    up = driftline("promote", "churn", "lr/v1", *because)
    assert (up["body"]["deployed"]["deployment_seq"], up["scorers"]["complete"]) == (2, True)
    assert up["controls"] == ["deployed"]
    back = driftline("rollback", "churn", *because, "--actor", "ann")
    assert (back["actor"], back["body"]["held"]) == ("ann", "lr")
    refused = driftline("rollback", "churn", *because, code=1)["error"]
    assert refused.startswith("Refused (fact ")
    assert "no other lineage served churn before sm" in refused
    assert driftline("lift", "churn", *because)["body"]["lifted"] == ["lr"]
    assert driftline("hold", "churn", *because, "--lineage", "lr")["body"]["held"] == "lr"
    wanted = driftline("retrain", "churn", "lr", *because, "--from", "0..1")
    assert wanted["body"]["from"] == [0, 1]
    beyond = driftline("retrain", "churn", "lr", *because, "--from", "0..99999999", code=1)
    assert "reaches beyond the journal of churn: its last offset is" in beyond["error"]
    panes = ("--from", "2026-11-25T21:00:02.000Z", "--to", "2026-11-25T21:10:00.000Z")
    accepted = driftline("accept-drift", "churn", *because, *panes)
    assert accepted["body"]["from_pane"] == "2026-11-25T21:00:00.000Z"
    assert "No data incident" in driftline("accept-drift", "churn", *because, code=1)["error"]
    assert driftline("gate", "churn") == {}
    assert driftline("commands", up["command_id"])["outcome"] == "accepted"
    made.stop("a")
    monkeypatch.setattr(sending, "WAIT_SECONDS", 2.0)
    said = driftline("hold", "churn", *because, code=1)["error"]
    assert "No owner of the registry decided within 2 s" in said


def test_apply_asks_the_owner_and_does_not_fence_it(made: Installation, tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    text = "model: m\ntask: binary\nfeatures:\n  - {name: x, kind: numeric}\n"
    file.write_text(text)
    made.start("registry", "a")
    until(lambda: has_owner(made.servers.brokers, made.prefix), "no owner")
    until(lambda: "decided" in made.log("a") or _applied(file), "the spec is not applied")
    file.write_text(f"{text}alarm_budget: 0.01\n")
    assert "--yes" in driftline("apply", str(file), code=1)["error"]
    changed = driftline("apply", str(file), "--yes")
    assert (changed["status"], changed["changes"]) == ("applied", ["+ alarm_budget: 0.01"])
    assert driftline("apply", str(file))["status"] == "unchanged"
    assert driftline("topics", "init")["created"] == []
    made.stop("a")
    until(lambda: not has_owner(made.servers.brokers, made.prefix), "it is still a member")
    file.write_text(text)
    assert driftline("apply", str(file), "--yes")["status"] == "applied"
    assert [fact.seq for fact in facts_of(made)] == [0, 1, 2, 3]


def _applied(file: Path) -> bool:
    """A member has its partition only after a moment: what lapses meanwhile is given again."""
    return CliRunner().invoke(app, ["apply", str(file)]).exit_code == 0


def test_the_api_answers_when_its_own_fold_shows_the_command(
    made: Installation, tmp_path: Path
) -> None:
    made.start("registry", "a")
    begin(made)
    made.start("api", "web", DRIFTLINE_API_PORT="0")
    base = f"http://127.0.0.1:{made.wait_until_said('web', 'starting')['port']}"
    with httpx.Client(base_url=base, trust_env=False, timeout=PATIENCE_SECONDS) as client:
        until(lambda: client.get("/v1/models").status_code == 200, "the API is not ready")
        assert client.get("/v1/models/churn/deployment").json()["name"] == "churn/sm/v1"
        given = {"action": "promote", "reason": "a test", "actor": "ann",
                 "body": {"model": "churn", "version": "lr/v1"},
                 "not_after": "2999-01-01T00:00:00.000Z"}  # fmt: skip
        first = decided(client, given, "from-the-page-1")
        assert (first.status_code, first.json()["actor"]) == (200, "api:ann")
        assert decided(client, given, "from-the-page-1").json() == first.json()
        again = decided(client, given, "2")
        assert (again.status_code, again.json()["error"]) == (409, "Churn/lr/v1 serves already.")
        made.stop("a")
        back = {**given, "action": "rollback", "body": {"model": "churn"}}
        later = client.post("/v1/commands", json=back, headers={"Idempotency-Key": "3"})
        assert (later.status_code, later.headers["location"]) == (202, "/v1/commands/3")
        made.start("registry", "a")
        until(lambda: client.get("/v1/commands/3").status_code == 200, "nobody decided")
        assert client.get("/v1/models/churn/deployment").json()["name"] == "churn/sm/v1"
    made.stop("web")


def decided(client: httpx.Client, given: dict[str, Any], key: str) -> httpx.Response:
    """The answer; a registry that takes more than two seconds is asked again under the same key."""

    def answered() -> httpx.Response | None:
        answer = client.post("/v1/commands", json=given, headers={"Idempotency-Key": key})
        return None if answer.status_code == 202 else answer

    return until(answered, "nobody decides")


def test_an_api_that_others_reach_without_a_token_does_not_start(made: Installation) -> None:
    made.start("api", "web", DRIFTLINE_API_HOST="0.0.0.0", DRIFTLINE_API_PORT="0")
    assert made.running["web"].wait(PATIENCE_SECONDS) == 1
    assert "set DRIFTLINE_API_TOKEN" in made.log("web")
