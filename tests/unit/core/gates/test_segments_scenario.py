"""The demo's stream through learning and gate: fault, takeover, repair, the champion comes back.

Rows, labels 100 rows late and tolerances are those of the measured runs. A promoted lineage
follows, so what serves is its newest version.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import Any

import pytest

from driftline.core.drift.error_incident import ErrorIncident, Opened
from driftline.core.gates.contest import Contest
from driftline.core.gates.errors import class_error
from driftline.core.gates.gate import Gate
from driftline.core.gates.pairs import Pair, PairPolicy
from driftline.core.learning.features import Features, FeatureSchema
from driftline.core.learning.lineage import Example, Lineage, LineagePolicy
from driftline.core.learning.pipelines import build_pipeline
from driftline.core.learning.versions import Recipe, Version
from driftline.demo.segments import KNOWN_ROWS, LAST_ROW, rotate, rows
from driftline.runtime.models.loader import SafeCodec
from driftline_schemas.spec import Feature
from tests.unit.core.learning.examples import DAY, scaled, sgd

LATE, ROW_MS = 100, 25
FAULT, NO_FAULT = range(1_771, 3_388), range(0)
SOFTMAX = scaled("linear_model.SoftmaxRegression", optimizer=sgd(0.01))


def time(row: int) -> int:
    return (row - KNOWN_ROWS + 1) * ROW_MS


@cache
def known() -> tuple[FeatureSchema, list[tuple[dict[str, float], str]]]:
    shipped = rows()
    names = [Feature(name=name, kind="numeric") for name in shipped[0][0]]
    return FeatureSchema.of(names), shipped


def stream(fault: range) -> Iterator[tuple[int, Features, str]]:
    schema, shipped = known()
    for row in range(KNOWN_ROWS, LAST_ROW + 1):
        again = KNOWN_ROWS + (row - KNOWN_ROWS) % (len(shipped) - KNOWN_ROWS)
        features, label = shipped[again]
        seen = rotate(features) if row in fault else features
        yield row, schema.canonical(seen), label


@dataclass(slots=True)
class World:
    """What serves, what learns, and what happened at which row."""

    seed: int
    lineages: dict[str, Lineage] = field(default_factory=dict)
    contest: Contest = field(default_factory=lambda: Contest(Gate(), PairPolicy()))
    incident: ErrorIncident = field(default_factory=ErrorIncident)
    serving: tuple[str, Version] = field(init=False)
    happened: list[tuple[int, str]] = field(default_factory=list)
    right: int = 0

    def __post_init__(self) -> None:
        self._begin("champion", passes=20, learns=False)
        self._begin("softmax", passes=1, learns=True)
        self._serve("champion", self.lineages["champion"].shelf.newest, at=0)

    def _begin(self, name: str, *, passes: int, learns: bool) -> None:
        schema, shipped = known()
        model = build_pipeline(SOFTMAX, schema, "multiclass").model
        past, rng = [(schema.canonical(x), y) for x, y in shipped[:KNOWN_ROWS]], Random(self.seed)
        for _ in range(passes):
            if passes > 1:
                rng.shuffle(past)
            for features, label in past:
                model.learn_one(features, label)
        policy = LineagePolicy("multiclass", 7 * DAY, learns=learns, zero_delay_every=0)
        recipe = Recipe("segments", name, "0" * 16, {}, "code", {})
        self.lineages[name] = Lineage.begin(recipe, policy, SafeCodec(), model, offset=0, time=0)
        self.contest.enter(name)

    def _serve(self, name: str, version: Version, at: int) -> None:
        leaving = None if not hasattr(self, "serving") else self.serving[0]
        self.serving = name, version
        self.contest.deployed(version.version_id, name, at)
        if leaving is not None and leaving != name:
            self.contest.enter(leaving)

    def predict(self, features: Features, label: str) -> tuple[str, str]:
        name, version = self.serving
        prediction = str(self.lineages[name].loaded(version).predict_one(features))
        self.right += prediction == label
        return prediction, version.version_id

    def learn(self, now: int, example: Example, served: tuple[str, str]) -> None:
        prediction, version_id = served
        error = class_error(prediction, example.label)
        outcome = self.incident.step(error, example.asked_at, example.label_ts)
        if outcome is not None:
            self.happened.append((now, type(outcome).__name__.lower()))
        if isinstance(outcome, Opened):
            self.contest.restart(example.label_ts)
        counts = self.contest.counts(version_id)
        for name, lineage in self.lineages.items():
            self._step(name, lineage, example, error if counts else None)
        self._evaluate(now, example.label_ts)

    def _step(self, name: str, lineage: Lineage, example: Example, error: float | None) -> None:
        step = lineage.step(example)
        if step.score is not None and error is not None and name in self.contest.challengers:
            gain = error - class_error(step.score.prediction, example.label)
            number = step.score.version.number
            assert step.score.version.time < example.asked_at
            self.contest.add(name, Pair(example.asked_at, example.offset, number, gain))
        if step.version is not None and name == self.serving[0]:
            self._serve(name, step.version, example.label_ts)

    def _evaluate(self, now: int, label_ts: int) -> None:
        for evaluation in self.contest.labelled(label_ts):
            if evaluation.judgement.verdict == "promote":
                name, n = evaluation.challenger, evaluation.judgement.gains.n
                assert evaluation.number is not None
                self.happened.append((now, f"{name} promoted on {n}"))
                self._serve(name, self.lineages[name].shelf.newest, label_ts)


def play(fault: range, seed: int = 0) -> World:
    world, waiting = World(seed), dict[int, Any]()
    for row, features, label in stream(fault):
        waiting[row] = features, label, world.predict(features, label)
        if row - LATE in waiting:
            x, y, served = waiting.pop(row - LATE)
            labelled = Example(row - LATE, x, y, time(row - LATE), time(row) + 5)
            world.learn(row, labelled, served)
    return world


def test_the_challenger_takes_over_in_the_fault_and_the_champion_comes_back() -> None:
    world = play(FAULT)
    found = [what for _, what in world.happened]
    assert found == [
        "opened", "softmax promoted on 205", "resolved", "opened", "champion promoted on 216",
        "resolved",
    ]  # fmt: skip
    tolerated = [(1_900, 1_930), (2_205, 2_270), (2_400, 2_620), (3_540, 3_710), (3_700, 4_080),
                 (3_900, 4_250)]  # fmt: skip
    for (row, what), (first, last) in zip(world.happened, tolerated, strict=True):
        assert first <= row <= last, what
    assert 0.76 <= world.right / (LAST_ROW + 1 - KNOWN_ROWS) <= 0.80


@pytest.mark.parametrize("seed", [1])
def test_without_a_fault_nobody_is_promoted(seed: int) -> None:
    world = play(NO_FAULT, seed)
    assert world.happened == []
    assert world.right / (LAST_ROW + 1 - KNOWN_ROWS) > 0.88
