"""Does a learner that is killed again and again tell what one fold of the journal says?"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from time import sleep
from typing import Any

import orjson
import pytest
import redis
from confluent_kafka import Producer

from driftline.core.learning.fold import LearningFold
from driftline.core.learning.outcomes import GateDecided, Outcome, VersionMade
from driftline.learner.app import policy_of
from driftline.learner.state import upcoming_of
from driftline.runtime.clock import SystemClock
from driftline.runtime.memory import MemoryRecord
from driftline.runtime.models.artifacts import ArtifactStore
from driftline.runtime.registry_log import read_registry
from driftline.servers import LocalServers
from driftline_schemas.codec import content_hash
from driftline_schemas.fields import format_time
from driftline_schemas.partitioner import partition_of
from driftline_schemas.registry import Fact, RegistryCommand
from driftline_schemas.topics import JOURNAL, LABELS, LEARNING_METRICS, PREDICTIONS
from tests.integration.installation import Installation, installation
from tests.unit.core.learning.examples import made as part
from tests.unit.core.learning.examples import scaled, sgd
from tests.verifier.reading import read_topic
from tests.waiting import PATIENCE_SECONDS, until
from tests.world.loop import Learner
from tests.world.streams import csv_of

pytestmark = pytest.mark.integration

MODEL = "churn"
KNOWN = {"file": "known.csv", "label": "y"}
NAMES = [f"f{i}" for i in range(4)]


def spec(**parts: Any) -> dict[str, Any]:
    """A frozen champion, a challenger that learns, and one that cannot even be built."""
    logistic = scaled("linear_model.LogisticRegression", optimizer=sgd(0.05))
    return {
        "model": MODEL, "task": "binary",
        "features": [{"name": name, "kind": "numeric"} for name in NAMES],
        "pipelines": {
            "frozen": logistic, "learning": logistic, "broken": [part("nobody.Knows")],
        },
        "train": {"frozen": {**KNOWN, "passes": 3, "seed": 1}},
        "warm": {"learning": KNOWN},
        "champion": "frozen", "version_every": 20, "follow": True,
        "gate": {"least_gain": 0.01, "min_pairs": 100},
        **parts,
    }  # fmt: skip


def rows(n: int, seed: int, *, turned: bool) -> Iterator[tuple[dict[str, float], str]]:
    chance = Random(seed)
    for _ in range(n):
        x = {name: chance.gauss(0, 1) for name in NAMES}
        score = x["f0"] + (-1 if turned else 1) * 2 * x["f1"] + chance.gauss(0, 0.3)
        yield x, "yes" if score > 0 else "no"


@dataclass(slots=True)
class Production:
    """An app that predicts at random under the version that serves, and its labels."""

    made: Installation
    sent: int = 0
    serving: str = "none"
    producer: Producer = field(init=False)
    offset: int = 0

    def __post_init__(self) -> None:
        self.producer = Producer(
            {"bootstrap.servers": self.made.servers.brokers, "partitioner": "murmur2_random",
             "linger.ms": 5}
        )  # fmt: skip

    def send(self, n: int, *, turned: bool = True, right: float = 0.5) -> None:
        """So many predictions, each with its label; 200 a second, so that versions come between."""
        chance = Random(self.sent)
        for x, y in rows(n, self.sent, turned=turned):
            self.sent += 1
            guess = y if chance.random() < right else ("no" if y == "yes" else "yes")
            id_ = f"p{self.sent}"
            at = format_time(SystemClock().now())
            prediction = {"prediction_id": id_, "model": MODEL, "model_version": self.serving,
                          "predicted_at": at, "features": x, "prediction": guess}  # fmt: skip
            label = {"prediction_id": id_, "model": MODEL, "label": y, "labelled_at": at}
            for topic, body in ((PREDICTIONS, prediction), (LABELS, label)):
                name = topic.full_name(self.made.prefix)
                self.producer.produce(name, orjson.dumps(body), key=id_)
            self.producer.poll(0.005)
        assert self.producer.flush(PATIENCE_SECONDS) == 0


@pytest.fixture
def made(servers: LocalServers, prefix: str, tmp_path: Path) -> Iterator[Installation]:
    url = f"file://{tmp_path}/artifacts"
    with installation(servers, prefix, tmp_path, artifacts_url=url) as made:
        yield made


def facts_of(made: Installation) -> list[Fact]:
    return read_registry(made.servers.brokers, made.prefix)


def accepted(made: Installation, action: str) -> list[Fact]:
    return [f for f in facts_of(made) if f.action == action and f.outcome == "accepted"]


def promoted(made: Installation) -> list[Fact]:
    return [f for f in accepted(made, "gate_evaluated") if f.body["verdict"] == "promote"]


def apply(made: Installation, wire: dict[str, Any], name: str = "spec") -> None:
    store = ArtifactStore.at(made.environment["DRIFTLINE_ARTIFACTS_URL"])
    file = store.put(csv_of(rows(300, 99, turned=False), "y"))
    body = {
        "spec_hash": content_hash(wire), "spec": wire,
        "files": {"known.csv": file.model_dump(mode="json")},
    }  # fmt: skip
    made.give(
        RegistryCommand(
            command_id=name, action="apply_spec", actor="test", reason="test", body=body,
            not_after=32_503_680_000_000,
        )
    )  # fmt: skip


def serving(made: Installation) -> str | None:
    deployed = [f for f in facts_of(made) if "deployed" in f.body]
    return str(deployed[-1].body["deployed"]["version_id"]) if deployed else None


def begin(made: Installation) -> Production:
    for role in ("registry", "joiner", "learner"):
        made.start(role, role)
    apply(made, spec())
    until(lambda: serving(made), lambda: f"nothing serves: {made.log('learner')[-2000:]}")
    production = Production(made)
    production.serving = serving(made) or ""
    return production


def settle(made: Installation) -> None:
    """Until all is joined, learned and decided, and saved: nothing that one role wrote last is
    news to another. (A fact makes a control record, that may make a version, that makes a fact.)"""
    seen, found = -1, 0
    while seen != found:
        for role in ("joiner", "learner", "registry", "learner", "registry"):
            made.wait_for_lag(role)
        seen, found = found, len(facts_of(made))


def journal(made: Installation) -> list[MemoryRecord]:
    """The model's partition."""
    partition = partition_of(MODEL, JOURNAL.partitions)
    return [
        MemoryRecord(record.offset, record.timestamp, None, record.value)
        for record in read_topic(made.servers.brokers, JOURNAL.full_name(made.prefix))
        if record.partition == partition
    ]


def folded(made: Installation) -> list[Outcome]:
    """What one fold of the journal says."""
    store = ArtifactStore.at(made.environment["DRIFTLINE_ARTIFACTS_URL"])
    files = Path(store.url.removeprefix("file://"))
    known = {file.name: file.read_bytes() for file in files.glob("??/*")}
    learner = Learner(known, policy_of(made.settings))
    assert isinstance(learner.fold, LearningFold)
    return [out for record in journal(made) for out in learner.take(upcoming_of(record))]


def assert_equal_to_the_fold(made: Installation) -> None:
    outcomes = folded(made)
    versions = {
        (out.version.version_id, out.version.manifest.state_hash, out.version.offsets)
        for out in outcomes
        if isinstance(out, VersionMade)
    }
    registered = {
        (f.body["version_id"], f.body["state_hash"], tuple(f.body["offsets"]))
        for f in accepted(made, "model_updated")
    }
    assert registered == versions
    gates = {
        out.command.command_id: orjson.loads(orjson.dumps(out.command.body))
        for out in outcomes
        if isinstance(out, GateDecided)
    }
    decided = {f.command_id: f for f in facts_of(made) if f.action == "gate_evaluated"}
    assert decided.keys() == gates.keys()
    for name, fact in decided.items():
        if fact.outcome == "accepted":
            assert {key: fact.body[key] for key in gates[name]} == gates[name]


def test_a_challenger_learns_is_proven_and_follows(made: Installation) -> None:
    production = begin(made)
    production.send(800)
    until(lambda: promoted(made), "nobody is promoted")
    settle(made)
    production.serving = serving(made) or ""
    production.send(60)
    settle(made)
    lineages = [f.body["deployed"]["lineage"] for f in facts_of(made) if "deployed" in f.body]
    assert lineages[0] == "frozen"
    assert set(lineages[1:]) == {"learning"}
    assert_equal_to_the_fold(made)
    told = made.read(LEARNING_METRICS)
    assert any(metric.get("reason") and metric["pipeline"] == "broken" for metric in told)
    assert {"metric", "gate"} == {metric["kind"] for metric in told}
    made.stop("learner")


def test_kills_at_random_change_nothing(made: Installation) -> None:
    production = begin(made)
    chance = Random(5)
    for _ in range(8):
        production.send(chance.randrange(40, 120))
        sleep(chance.random() * 1.5)
        made.kill("learner")
        production.send(20)
        made.start("learner", "learner")
        sleep(chance.random() * 2)
        production.serving = serving(made) or ""
    settle(made)
    assert_equal_to_the_fold(made)
    before = len(facts_of(made))
    made.stop("learner")
    redis.Redis.from_url(made.servers.redis_url).flushall()
    made.start("learner", "learner")
    production.serving = serving(made) or ""
    production.send(100)
    settle(made)
    assert len(facts_of(made)) >= before
    assert_equal_to_the_fold(made)


def retrain(made: Installation, name: str, source: Any, passes: int, **parts: Any) -> str:
    """Ask for it; the lineage that it becomes."""
    body = {"model": MODEL, "pipeline": "learning", "from": source, "passes": passes, **parts}
    made.give(
        RegistryCommand(
            command_id=name, action="retrain", actor="test", reason="test", body=body,
            not_after=32_503_680_000_000,
        )
    )  # fmt: skip
    until(lambda: [f for f in facts_of(made) if f.command_id == name], "no fact")
    (fact,) = [f for f in facts_of(made) if f.command_id == name]
    assert fact.outcome == "accepted", fact.body
    return f"learning@{fact.seq}"


def lineages(made: Installation) -> set[str]:
    return {f.body["lineage"] for f in accepted(made, "model_updated")}


def test_what_learns_again_begins_at_the_same_place_whoever_is_killed(made: Installation) -> None:
    production = begin(made)
    production.send(200)
    settle(made)
    store = ArtifactStore.at(made.environment["DRIFTLINE_ARTIFACTS_URL"])
    file = store.put(csv_of(rows(400, 7, turned=True), "y"))
    by_file = retrain(made, "again", "new.csv", 4, artifact=file.model_dump(mode="json"))
    for _ in range(3):
        production.send(20)
        made.kill("learner")
        made.start("learner", "learner")
        sleep(2)
    until(lambda: by_file in lineages(made), "the file is not learned")
    by_range = retrain(made, "once-more", [0, 150], 2)
    production.send(20)
    until(lambda: by_range in lineages(made), "the range is not learned")
    production.send(100)
    settle(made)
    assert_equal_to_the_fold(made)


def test_without_a_learner_nobody_is_promoted(made: Installation) -> None:
    production = begin(made)
    production.send(50)
    settle(made)
    made.stop("learner")
    production.send(400)
    made.wait_for_lag("joiner")
    sleep(2)
    assert not promoted(made)
    made.start("learner", "learner")
    until(lambda: promoted(made), "nobody is promoted")
    settle(made)
    assert_equal_to_the_fold(made)
