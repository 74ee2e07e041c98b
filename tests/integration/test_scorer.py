"""Does the scorer serve what is deployed on a real Kafka, and record what it answered?"""

import signal
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import orjson
import pytest
from confluent_kafka import Producer
from typer.testing import CliRunner

from driftline.cli import rollback
from driftline.cli.app import app
from driftline.runtime.models.artifacts import ArtifactStore
from driftline.runtime.registry_log import read_registry
from driftline.servers import LocalServers
from driftline_schemas.codec import encode
from driftline_schemas.registry import Arm, Deployment
from driftline_schemas.topics import DEPLOYMENTS, PREDICTIONS, SCORER_STATUS
from loadtests.versions import Trainer, spec_body, wire_spec
from tests.integration.installation import Installation, installation
from tests.unit.core.registry.book import command
from tests.waiting import PATIENCE_SECONDS, until

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("patient")]

NEVER_LAPSES = "2999-01-01T00:00:00.000Z"
BECAUSE = ("--reason", "a test")
ROW = {"age": 51.5, "pro": True}
PATH = "/v1/models/churn:predict"


@pytest.fixture
def made(
    servers: LocalServers, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Installation]:
    url = (tmp_path / "artifacts").as_uri()
    with installation(servers, prefix, tmp_path, artifacts_url=url) as made:
        for name, value in made.environment.items():
            monkeypatch.setenv(name, value)
        yield made


@dataclass
class Versions:
    """`churn/sm/v1` serves, `churn/lr/v1` is registered."""

    made: Installation
    ids: dict[str, str] = field(default_factory=dict)  # version_id -> name

    def __post_init__(self) -> None:
        store = ArtifactStore.at(self.made.environment["DRIFTLINE_ARTIFACTS_URL"])
        spec = wire_spec()
        self.made.start("registry", "owner")
        self.give("spec", "apply_spec", spec_body(spec))
        for pipeline in ("sm", "lr"):
            version = Trainer(spec, store).version(pipeline)
            self.ids[version["version_id"]] = f"{pipeline}/v1"
            self.give(pipeline, "model_updated", version)
        self.wait_for("spec", "sm", "lr")

    def give(self, name: str, action: str, body: dict[str, Any]) -> None:
        self.made.give(command(name, action, body, not_after=NEVER_LAPSES))

    def wait_for(self, *names: str) -> None:
        def decided() -> bool:
            facts = read_registry(self.made.servers.brokers, self.made.prefix)
            return set(names) <= {f.command_id for f in facts if f.outcome == "accepted"}

        until(decided, "facts are missing")

    def promote(self, name: str, version: str) -> None:
        self.give(name, "promote", {"model": "churn", "version": version})


def begin(made: Installation, name: str = "s1", **settings: str) -> httpx.Client:
    """Start a scorer; a client for it once it is ready."""
    environment = {f"DRIFTLINE_SCORER_{key.upper()}": value for key, value in settings.items()}
    made.start("scorer", name, DRIFTLINE_SCORER_PORT="0", **environment)
    made.wait_until_ready(name)
    address = f"http://127.0.0.1:{made.wait_until_said(name, 'starting')['port']}"
    return httpx.Client(base_url=address, trust_env=False, timeout=PATIENCE_SECONDS)


def ask(client: httpx.Client, **parts: Any) -> dict[str, Any]:
    """What is answered; who wants it recorded comes again while the broker is slow."""

    def answered() -> dict[str, Any] | None:
        answer = client.post(PATH, json={"features": ROW, **parts})
        if answer.status_code == 503 and parts.get("recording") == "required":
            return None
        assert answer.status_code == 200, answer.text
        said: dict[str, Any] = answer.json()
        return said

    return until(answered, "it is not recorded")


def driftline(*arguments: str) -> dict[str, Any]:
    result = CliRunner().invoke(app, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    answer: dict[str, Any] = orjson.loads(result.stdout.splitlines()[-1])
    return answer


def recorded(made: Installation) -> dict[str, dict[str, Any]]:
    return {str(event["prediction_id"]): event for event in made.read(PREDICTIONS)}


def statuses(made: Installation) -> list[dict[str, Any]]:
    return made.read(SCORER_STATUS)


def forge_deployment(made: Installation, version_id: str) -> None:
    """One that no fact made, newer than all that will be."""
    arm = Arm(version_id=version_id, share=1.0, role="champion")
    forged = Deployment(model="churn", seq=2**63 - 1, arms=[arm], reason="r", actor="nobody")
    producer = Producer({"bootstrap.servers": made.servers.brokers})
    producer.produce(DEPLOYMENTS.full_name(made.prefix), encode(forged), "churn", partition=0)
    assert producer.flush(PATIENCE_SECONDS) == 0


def test_people_promote_and_roll_back_and_every_scorer_confirms(made: Installation) -> None:
    versions = Versions(made)
    with begin(made, "s1") as one, begin(made, "s2") as two:
        assert {versions.ids[ask(client)["model_version"]] for client in (one, two)} == {"sm/v1"}
        forge_deployment(made, next(iter(versions.ids)))
        up = driftline("promote", "churn", "lr/v1", *BECAUSE)
        assert up["scorers"] == {
            "confirmed": ["s1", "s2"], "pending": [], "silent": [], "complete": True,
        }  # fmt: skip
        assert {versions.ids[ask(client)["model_version"]] for client in (one, two)} == {"lr/v1"}
        back = driftline("rollback", "churn", *BECAUSE)
        assert back["scorers"]["confirmed"] == ["s1", "s2"]
        assert {versions.ids[ask(client)["model_version"]] for client in (one, two)} == {"sm/v1"}
        made.stop("s2")
        again = driftline("promote", "churn", "lr/v1", *BECAUSE)  # s2 signed off: nobody waits
        assert (again["scorers"]["confirmed"], again["scorers"]["complete"]) == (["s1"], True)
    with begin(made, "s2") as two:
        assert versions.ids[ask(two)["model_version"]] == "lr/v1"
        (told,) = two.get("/v1/models").json()
        until(lambda: len(two.get("/v1/models").json()[0]["warm"]) == 2, "the way back is cold")
        assert (told["served"], told["refused"]) == (told["wanted"], None)


@pytest.mark.parametrize("recording", ["required", "best_effort"])
def test_every_answer_of_a_scorer_that_is_stopped_under_load_is_in_the_topic(
    made: Installation, recording: str
) -> None:
    versions = Versions(made)
    client = begin(made, recording=recording)
    stop = Event()
    answers: list[tuple[int, dict[str, Any]]] = []

    def served(version: str) -> int:
        said = [said for status, said in list(answers) if status == 200]
        return sum(versions.ids[each["model_version"]] == version for each in said)

    def load(number: int) -> None:
        count = 0
        while not stop.is_set():
            try:
                answer = client.post(
                    PATH, json={"features": ROW, "prediction_id": f"p-{number}-{count}"}
                )
            except httpx.TransportError:  # it is gone: no answer, no promise
                return
            answers.append((answer.status_code, answer.json()))
            count += 1

    with ThreadPoolExecutor(8) as threads:
        running = [threads.submit(load, number) for number in range(8)]
        try:
            for number, version in enumerate(["lr/v1", "sm/v1"] * 4):
                versions.promote(f"p{number}", version)
                enough = served(version) + 30
                until(lambda: served(version) >= enough, f"{version} does not serve", pause=0.01)  # noqa: B023 - called here
            made.stop("s1")
        finally:
            stop.set()
        for each in running:
            each.result()
    good = [said for status, said in answers if status == 200]
    assert Counter(status for status, _ in answers).keys() <= {200, 503}
    assert len(good) > 200
    topic = recorded(made)
    for said in good:
        event = topic[said["prediction_id"]]
        assert (event["model_version"], event["prediction"]) == (
            said["model_version"], said["prediction"],
        )  # fmt: skip
    assert {versions.ids[said["model_version"]] for said in good} == {"sm/v1", "lr/v1"}
    last = statuses(made)[-1]
    assert (last["scorer_id"], last["signed_off"], last["versions"]) == ("s1", True, {})


def test_a_frozen_scorer_says_which_version_it_used_and_swaps_when_it_wakes(
    made: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollback, "CONFIRM_SECONDS", 2.0)
    versions = Versions(made)
    with begin(made) as client, ThreadPoolExecutor(1) as thread:
        ask(client)
        made.signal("s1", signal.SIGSTOP)
        late = thread.submit(ask, client, prediction_id="late", recording="required")
        try:
            up = driftline("promote", "churn", "lr/v1", *BECAUSE)
        finally:
            made.signal("s1", signal.SIGCONT)
        assert (up["scorers"]["pending"], up["scorers"]["complete"]) == (["s1"], False)
        said = late.result(PATIENCE_SECONDS)
        assert recorded(made)["late"]["model_version"] == said["model_version"]
        until(lambda: versions.ids[ask(client)["model_version"]] == "lr/v1", "it does not swap")


def test_without_a_broker_required_answers_503_and_best_effort_is_recorded_later(
    made: Installation, servers: LocalServers
) -> None:
    versions = Versions(made)
    with begin(made) as client:
        ask(client, prediction_id="before", recording="required")
        servers.kill_kafka()
        try:
            refused = client.post(
                PATH, json={"features": ROW, "prediction_id": "no", "recording": "required"}
            )
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
            assert "could not be recorded" in refused.json()["error"]
            ask(client, prediction_id="kept")
        finally:
            servers.start_kafka()
        until(lambda: "kept" in recorded(made), "the prediction is lost")
        ask(client, prediction_id="after", recording="required")
        assert {"before", "kept", "after"} == recorded(made).keys()
        versions.promote("after", "lr/v1")  # it still reads
        until(lambda: client.get("/v1/models").json()[0]["name"] == "churn/lr/v1", "no swap")


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        pytest.param({"DRIFTLINE_SCORER_HOST": "0.0.0.0"}, "set DRIFTLINE_SCORER_TOKEN", id="open"),
        pytest.param({"DRIFTLINE_ARTIFACTS_URL": "nothing://x"}, "cannot be kept", id="no store"),
        pytest.param({"DRIFTLINE_SCORER_WARM": "0"}, "warm", id="a setting"),
    ],
)
def test_what_cannot_work_is_said_in_one_sentence(
    made: Installation, settings: dict[str, str], why: str
) -> None:
    made.start("scorer", "s1", DRIFTLINE_SCORER_PORT="0", **settings)
    assert made.running["s1"].wait(PATIENCE_SECONDS) == 1
    assert why in made.log("s1")
    assert "Traceback" not in made.log("s1")
