"""A model that is served, learned and judged in memory, by the services' own rules.

The true class depends on the features in another way from row `TURNS` on; labels come `LATE` rows
after their prediction. The registry decides, and what it decides is folded in, before the next row.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from random import Random
from typing import Any

import orjson

from driftline.core.fact_chain import Draft
from driftline.core.learning.features import FeatureSchema
from driftline.core.learning.fold import LearningFold, Upcoming
from driftline.core.learning.materials import FileNeed, Material, ModelNeed, Need, begin_training
from driftline.core.learning.outcomes import GateDecided, Outcome, VersionMade
from driftline.core.learning.rows import read_table
from driftline.core.learning.surroundings import LearningPolicy, Surroundings
from driftline.core.registry.consequences import controls_of
from driftline.learner.ranges import Collecting
from driftline.runtime.models.loader import SafeCodec
from driftline_schemas.codec import content_hash, encode
from driftline_schemas.fields import format_time
from driftline_schemas.journal import JOURNAL_RECORD, Correction, Counts, Mark
from driftline_schemas.registry import Artifact, Fact, LearningMetric, RegistryCommand
from driftline_schemas.spec import ModelSpec
from tests.unit.core.learning.examples import made, scaled, sgd
from tests.unit.core.registry.book import INSTALLATION, Book, command
from tests.verifier.learning import LearningReport, verify_records
from tests.verifier.reading import Record

MODEL, DAY = "plant", 86_400_000
START, ROW_MS, LATE, TURNS, END = 1_764_072_000_000, 25, 40, 300, 1_100
TREE = made("tree.HoeffdingAdaptiveTreeClassifier", seed=1, grace_period=50)
ENVIRONMENT = {"python": "3.11"}


def reseal(facts: list[Record], change: Callable[[dict[str, Any]], None]) -> list[Record]:
    """The facts, each changed in place, as a chain that holds."""
    book = Book(installed=False)
    for record in facts:
        fact = orjson.loads(record.value or b"")
        change(fact)
        named = ("command_id", "action", "actor", "reason", "body", "outcome")
        book.now = Fact.model_validate(fact).at
        book.write(Draft(**{name: fact[name] for name in named}))
    return [record._replace(value=raw) for record, raw in zip(facts, book.records, strict=True)]


def spec(task: str = "multiclass", **parts: Any) -> dict[str, Any]:
    """A champion made from a file, and two challengers that learn."""
    linear = (
        scaled("linear_model.LinearRegression", optimizer=sgd(0.01))
        if task == "regression"
        else scaled("linear_model.SoftmaxRegression", optimizer=sgd(0.05))
    )
    other = [TREE] if task != "regression" else [made("tree.HoeffdingTreeRegressor")]
    return {
        "model": MODEL,
        "task": task,
        "features": [{"name": name, "kind": "numeric"} for name in "cab"],
        "pipelines": {"champion": linear, "linear": linear, "tree": other},
        "train": {"champion": {"file": "past.csv", "label": "y", "passes": 4, "seed": 7}},
        "warm": {"linear": {"file": "past.csv", "label": "y"}},
        "champion": "champion",
        "follow": True,
        "version_every": 50,
        **parts,
    }


def events(task: str) -> Iterator[tuple[int, dict[str, Any], Any]]:
    """Row, features, truth; from -200 on, rows below 0 being those of the file."""
    chance = Random(11)
    for row in range(-200, END):
        x: dict[str, Any] = {name: round(chance.gauss(0, 1), 3) for name in "abc"}
        score = x["a"] + (-2 if row >= TURNS else 2) * x["b"] + 0.3 * chance.gauss(0, 1)
        if row % 50 == 7:
            x["c"] = None
        if task == "binary":
            x |= {"colour": chance.choice(["red", "blue"]), "new": chance.random() < 0.5}
            score += x["colour"] == "red"
        words = ("high" if score > 0.8 else "low") if abs(score) > 0.8 else "middle"
        truth = {"regression": round(score, 3), "binary": "yes" if score > 0 else "no"}
        yield row, x, truth.get(task, words)


@dataclass
class World:
    """`during`: people's commands by the row before which they are given. `delays`: least and most
    rows that a label is late. `outside`: predictions are not those of our versions."""

    spec: dict[str, Any]
    during: dict[int, tuple[str, dict[str, Any]]] = field(default_factory=dict)
    delays: tuple[int, int] = (LATE, LATE)
    outside: bool = False
    book: Book = field(default_factory=lambda: Book(now=START, installed=False))
    journal: list[Record] = field(default_factory=list)
    predictions: list[Record] = field(default_factory=list)
    metrics: list[Record] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    commands: deque[RegistryCommand] = field(default_factory=deque)
    serving: tuple[str, Any] = ("", None)  # version and model
    models: dict[str, Any] = field(default_factory=dict)  # by version
    labels: int = 0

    def __post_init__(self) -> None:
        self.parsed = ModelSpec.model_validate(self.spec)
        self.schema = FeatureSchema.of(self.parsed.features)
        body = INSTALLATION.model_copy(update={"label_horizon_ms": 7 * DAY})
        self.book.write(Draft("i", "installation", "ann", "init", body.model_dump(mode="json")))
        self.materials: dict[str, Material] = {}
        policy = LearningPolicy(7 * DAY, "code", ENVIRONMENT, Random)
        self.codec = SafeCodec()
        self.fold = LearningFold(Surroundings(policy, self.codec, self.materials))

    def run(self) -> "World":
        self.apply_spec(self.spec)
        waiting: dict[int, list[Any]] = {}
        chance = Random(5)
        for row, x, y in events(self.parsed.task):
            if row < 0:
                continue
            self.book.now = START + (row + 1) * ROW_MS
            if row in self.during:
                self.give(*self.during[row])
            due = row + chance.randint(*self.delays)
            waiting.setdefault(due, []).append((self.predict(row, x), y))
            for document, truth in waiting.pop(row, []):
                self.label(document, truth)
        return self

    # People.

    def apply_spec(self, spec: dict[str, Any]) -> None:
        body = {"spec_hash": content_hash(spec), "spec": spec, "files": {"past.csv": self.past()}}
        self.give("apply_spec", body)

    def give(self, action: str, body: dict[str, Any]) -> None:
        if action == "apply_spec" and "spec_hash" not in body:
            return self.apply_spec(body)
        if action == "retrain" and isinstance(body["from"], str):
            body = {**body, "artifact": self.past()}
        body = {"model": MODEL, **body} if action != "apply_spec" else body
        self.commands.append(command(f"c{len(self.journal)}", action, body))
        return self.decide()

    def past(self) -> dict[str, Any]:
        """The file of the rows before the first."""
        names = [feature.name for feature in self.parsed.features]
        lines = [",".join([*names, "y"])]
        for row, x, y in events(self.parsed.task):
            if row < 0:
                values = [x[name] for name in names] + [y]
                lines.append(",".join("" if value is None else str(value) for value in values))
        return self.keep("\n".join(lines).encode()).model_dump(mode="json")

    def keep(self, payload: bytes) -> Artifact:
        digest = sha256(payload).hexdigest()
        self.files[digest] = payload
        return Artifact(uri=f"a/{digest}", sha256=digest, bytes=len(payload))

    # The app and its labels.

    def predict(self, row: int, x: dict[str, Any]) -> dict[str, Any]:
        version, model = self.serving
        if self.outside:
            version, prediction = f"ours-{row // 300}", ("low", "middle", "high")[row % 3]
        else:
            prediction = model.predict_one(self.schema.canonical(x))
        document = {
            "prediction_id": f"{MODEL}-{row}", "model": MODEL, "model_version": version,
            "predicted_at": format_time(self.book.now - 3), "features": x,
            "prediction": prediction,
        }  # fmt: skip
        offset = len(self.predictions)
        self.predictions.append(Record(0, offset, self.book.now, b"", orjson.dumps(document)))
        at = {"prediction_ts": format_time(self.book.now), "prediction_tp": [0, offset]}
        return {"kind": "joined", **document, **at}

    def label(self, document: dict[str, Any], truth: Any) -> None:
        at = {"label_ts": format_time(self.book.now + 5), "label_tp": [0, self.labels]}
        self.labels += 1
        self.append(orjson.dumps({**document, **at, "label": truth}))
        self.decide()

    # The learner.

    def append(self, raw: bytes) -> None:
        """One more record of the journal, which is folded in."""
        offset = len(self.journal)
        self.journal.append(Record(3, offset, self.book.now, MODEL.encode(), raw))
        told = JOURNAL_RECORD.validate_json(raw)
        assert not isinstance(told, Mark | Counts | Correction)
        upcoming = Upcoming(offset, self.book.now, told)
        for need in self.fold.needs([upcoming]):
            if need.key not in self.materials:
                self.materials[need.key] = self.material(need)
        for outcome in self.fold.step(upcoming):
            self.publish(outcome)

    def material(self, need: Need) -> Material:
        if isinstance(need, FileNeed):
            return read_table(self.files[need.artifact.sha256])
        if isinstance(need, ModelNeed):
            training = begin_training(need, self.files[need.source.artifact.sha256], Random)
            training.learn(training.total)
            return self.codec.dump(training.model)
        found = Collecting(need)
        for record in self.journal:
            found.add(record.offset, record.timestamp, record.value)
        return found.result()

    def publish(self, outcome: Outcome) -> None:
        if isinstance(outcome, VersionMade):
            version = outcome.version
            self.models[version.version_id] = self.codec.load(outcome.payload, version.manifest)
            self.commands.append(outcome.command(self.keep(outcome.payload)))
        elif isinstance(outcome, GateDecided):
            self.commands.append(outcome.command)
        elif isinstance(outcome, LearningMetric):
            place = len(self.metrics)
            self.metrics.append(Record(3, place, self.book.now, b"", encode(outcome)))

    # The registry.

    def decide(self) -> None:
        """The registry comes to the end of its commands, the learner to that of its journal."""
        while self.commands:
            assert self.book.bring(self.commands.popleft()) is not None
            fact = self.book.facts[-1]
            if "deployed" in fact.body:
                version_id = fact.body["deployed"]["version_id"]
                self.serving = version_id, self.models[version_id]
            for control in controls_of(fact):
                if control.model_dump()["action"] != "bins":
                    self.append(encode(control))

    @property
    def facts(self) -> list[Record]:
        return [Record(0, at, 0, b"", raw) for at, raw in enumerate(self.book.records)]

    def verified(self, **changed: Any) -> LearningReport:
        """The report on all of it, some topics changed."""
        topics = {
            "journal": self.journal, "facts": self.facts, "metrics": self.metrics,
            "predictions": self.predictions, "commands": [],
        }  # fmt: skip
        given = {**topics, **changed}
        return verify_records(
            MODEL, given["journal"], given["facts"], given["metrics"],
            self.files.__getitem__, predictions=given["predictions"], commands=given["commands"],
        )  # fmt: skip
