"""The whole loop in memory: journal -> learner -> registry -> journal, and a scorer that obeys it.

A virtual clock; every part but the transport is the real one. Records are folded in one by one, and
what the registry decides is in the journal before anything else is.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from random import Random
from typing import Any

import orjson
from river.__version__ import __version__ as river_version

from driftline.core.learning.fixed_set import FixedSet
from driftline.core.learning.fold import Learned, LearningFold, Upcoming
from driftline.core.learning.labelled import Labelled
from driftline.core.learning.materials import (
    REFUSALS,
    Failure,
    FileNeed,
    Material,
    ModelNeed,
    Need,
    RangeNeed,
    begin_training,
)
from driftline.core.learning.outcomes import GateDecided, Outcome, VersionMade
from driftline.core.learning.rows import Recorded, read_table
from driftline.core.learning.surroundings import LearningPolicy, Surroundings
from driftline.core.learning.training import TrainingFailedError
from driftline.core.learning.versions import Manifest, Version
from driftline.core.registry.consequences import controls_of
from driftline.runtime.models.loader import SafeCodec
from driftline_schemas.codec import content_hash
from driftline_schemas.control import ControlEvent
from driftline_schemas.journal import JOURNAL_RECORD, Joined, Mark
from driftline_schemas.registry import Artifact, Fact, RegistryCommand, TestSetResult
from tests.unit.core.registry.book import START, Book

DAY = 86_400_000
POLICY = LearningPolicy(7 * DAY, "code", {"python": "3"}, Random)
Store = dict[str, bytes]


def artifact_of(payload: bytes, store: Store) -> Artifact:
    """Keep the bytes."""
    digest = sha256(payload).hexdigest()
    store[digest] = payload
    return Artifact(uri=f"memory://{digest}", sha256=digest, bytes=len(payload))


@dataclass(slots=True)
class Learner:
    """A fold with what it needs from outside, and the journal so far."""

    store: Store
    policy: LearningPolicy = POLICY
    codec: SafeCodec = field(default_factory=SafeCodec)
    materials: dict[str, Material] = field(default_factory=dict)
    journal: list[Upcoming] = field(default_factory=list)
    fold: LearningFold = field(init=False)

    def __post_init__(self) -> None:
        self.fold = LearningFold(self.around)

    @property
    def around(self) -> Surroundings:
        return Surroundings(self.policy, self.codec, self.materials)

    def take(self, entry: Upcoming) -> list[Outcome]:
        """Fold a record in; its needs are met first."""
        self.journal.append(entry)
        for need in self.fold.needs([entry]):
            if need.key not in self.materials:
                self.materials[need.key] = self.meet(need)
        return self.fold.step(entry)

    def meet(self, need: Need) -> Material:
        """What the runtime would fetch or make."""
        match need:
            case RangeNeed():
                return self.recorded(need)
            case FileNeed():
                try:
                    return read_table(self.store[need.artifact.sha256])
                except REFUSALS as error:
                    return Failure(str(error))
            case ModelNeed():
                payload = self.store[need.source.artifact.sha256]
                try:
                    training = begin_training(need, payload, self.policy.chances)
                    training.learn(training.total)
                except (*REFUSALS, TrainingFailedError) as error:
                    return Failure(str(error))
                return self.codec.dump(training.model)

    def recorded(self, need: RangeNeed) -> Recorded:
        """The joined records of a range; one that was written twice counts once."""
        once: dict[Any, Any] = {}
        for entry in self.journal:
            told = entry.record
            if not isinstance(told, Joined | Labelled) or told.model != need.model:
                continue
            if need.first <= entry.offset <= need.last:
                once.setdefault(tuple(told.label_tp), (told.features, told.label))
        return Recorded(list(once.values()))

    def restart(self) -> None:
        """All that is kept is what a checkpoint keeps."""
        offset = self.journal[-1].offset + 1 if self.journal else 0
        time, snapshots = self.fold.time, self.fold.snapshots(offset)
        states = [orjson.loads(orjson.dumps(state)) for state, _ in snapshots]
        artifacts = {digest: raw for _, kept in snapshots for digest, raw in kept.items()}
        self.materials.clear()
        self.fold = LearningFold.restore(self.around, time, states, artifacts)


@dataclass(slots=True)
class World:
    """Everything, with a clock (ms). `happened` lists what the learner found and the registry
    decided, by whatever `place` was at that time."""

    now: int = START
    store: Store = field(default_factory=dict)
    book: Book = field(default_factory=Book)
    learner: Learner = field(init=False)
    outcomes: list[Outcome] = field(default_factory=list)
    happened: list[tuple[int, str]] = field(default_factory=list)
    place: int = 0
    hear: Callable[[Outcome], None] = lambda outcome: None
    _labels: int = 0
    _told: deque[ControlEvent] = field(default_factory=deque)
    _loaded: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.learner = Learner(self.store)

    # People.

    def apply(self, spec: Mapping[str, Any], files: Mapping[str, bytes] | None = None) -> Fact:
        """A specification comes into force."""
        kept = {name: artifact_of(raw, self.store) for name, raw in (files or {}).items()}
        body: dict[str, Any] = {"spec_hash": content_hash(dict(spec)), "spec": dict(spec)}
        if kept:
            body["files"] = {name: kept[name].model_dump(mode="json") for name in kept}
        return self.ask("apply_spec", body)

    def ask(self, action: str, body: dict[str, Any]) -> Fact:
        """Somebody asks the registry for something, which it must grant."""
        self.book.now = self.now
        fact = self.book.accepted(action, body)
        self._tell(fact)
        self._settle()
        return fact

    # Production.

    @property
    def model(self) -> Any:
        """What the registry knows of the only model."""
        (model,) = self.book.state.models.values()
        return model

    def serving(self) -> str | None:
        """The version that serves."""
        deployed = self.model.deployed
        return None if deployed is None else deployed.body.version_id

    def predict(self, recorded: Mapping[str, object]) -> tuple[Any, str]:
        """What the scorer answers, by which version."""
        version_id = self.serving()
        assert version_id is not None
        if version_id not in self._loaded:
            self._loaded.clear()
            self._loaded[version_id] = self._load(version_id)
        learning = next(iter(self.learner.fold.models.values()))
        schema = next(iter(learning.roster.plans.values())).schema
        prediction = self._loaded[version_id].predict_one(schema.canonical(recorded))
        return prediction, version_id

    def _load(self, version_id: str) -> Any:
        recipe = self.model.versions[version_id].recipe
        artifact = recipe.artifact
        manifest = Manifest(artifact.sha256, artifact.bytes, recipe.state_hash, river_version)
        return SafeCodec().load(self.store[artifact.sha256], manifest)

    def label(
        self, features: Mapping[str, Any], prediction: Any, version: str, label: Any, asked_at: int
    ) -> None:
        """A label comes for a prediction of that time."""
        self._labels += 1
        joined = Joined(
            model=self.model.name, prediction_id=f"p{self._labels}", model_version=version,
            predicted_at=asked_at, prediction_ts=asked_at, prediction_tp=(0, self._labels),
            label_ts=self.now, label_tp=(0, self._labels), features=dict(features),
            prediction=prediction, label=label,
        )  # fmt: skip
        self.append(joined)

    # The journal.

    def append(self, record: Learned | Mark) -> None:
        """One record, and all that follows from it."""
        self._take(record)
        self._settle()

    def _take(self, record: Learned | Mark | None) -> None:
        seen = None if isinstance(record, Mark) else record
        offset = len(self.learner.journal)
        for outcome in self.learner.take(Upcoming(offset, self.now, seen)):
            self._follow(outcome)

    def _settle(self) -> None:
        while self._told:
            told = JOURNAL_RECORD.validate_python(
                JOURNAL_RECORD.dump_python(self._told.popleft(), mode="json", exclude_none=True)  # type: ignore[arg-type]
            )
            self._take(told)  # type: ignore[arg-type]  # a control is one of them

    def _follow(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        self.hear(outcome)
        if isinstance(outcome, VersionMade):
            tried = self._tried(outcome.fixed_set, outcome.payload, outcome.version)
            self._bring(outcome.command(artifact_of(outcome.payload, self.store), tried))
        elif isinstance(outcome, GateDecided):
            self._bring(self._proven(outcome))

    def _proven(self, decided: GateDecided) -> RegistryCommand:
        tried = []
        for gate, version, payload in (decided.judged, *decided.others):
            result = self._tried(decided.fixed_set, payload, version)
            tried.append(gate.model_copy(update={"test_set": result}))
            if decided.fixed_set is None or decided.fixed_set.is_passed(result):
                return decided.command_of(tried[-1])
        return decided.command_of(tried[0])

    def _tried(
        self, fixed_set: FixedSet | None, payload: bytes, version: Version
    ) -> TestSetResult | None:
        if fixed_set is None:
            return None
        rows = fixed_set.rows(read_table(self.store[fixed_set.need.artifact.sha256]))
        return fixed_set.result(rows, SafeCodec().load(payload, version.manifest))

    def _bring(self, command: RegistryCommand) -> None:
        self.book.now = self.now
        before = len(self.book.facts)
        self.book.bring(command)
        for fact in self.book.facts[before:]:
            self._tell(fact)

    def _tell(self, fact: Fact) -> None:
        self._told += controls_of(fact)
