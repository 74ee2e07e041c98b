"""Do our as-of figures agree with River's own validation by moment and delay?

River asks the model at a row's moment and lets it learn when the answer comes. With a version after
every label, "the newest that existed before the question" is that model. River lets an answer that
comes at the moment of a question be learned first; so ours comes 1 ms before it.
"""

from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from river import compose, evaluate, linear_model, metrics, optim, preprocessing

from driftline.core.learning.fold import Upcoming
from driftline.core.learning.outcomes import VersionMade
from driftline_schemas.control import SpecBody, SpecControl
from driftline_schemas.journal import Joined
from driftline_schemas.registry import LearningMetric
from driftline_schemas.spec import Task
from tests.unit.core.learning.examples import scaled, sgd
from tests.world.loop import Learner, artifact_of
from tests.world.streams import Row, csv_of

NAMES = ("a", "b", "c")
KNOWN, N, ROW_MS, START = 100, 400, 1_000, 1_000_000
STEPS = {
    "binary": scaled("linear_model.LogisticRegression", optimizer=sgd(0.05)),
    "multiclass": scaled("linear_model.SoftmaxRegression", optimizer=sgd(0.05)),
    "regression": scaled("linear_model.LinearRegression", optimizer=sgd(0.01)),
}
BARE: dict[str, Any] = {
    "binary": linear_model.LogisticRegression(optim.SGD(0.05)),
    "multiclass": linear_model.SoftmaxRegression(optim.SGD(0.05)),
    "regression": linear_model.LinearRegression(optim.SGD(0.01)),
}


def rows(task: Task, n: int) -> list[Row]:
    chance, made = Random(7), list[Row]()
    for number in range(n):
        x = {name: chance.gauss(0, 1) for name in NAMES}
        score = x["a"] + (-1 if number > n / 2 else 1) * 2 * x["b"] + chance.gauss(0, 0.5)
        binary = "true" if score > 0 else "false"
        label = {"regression": score, "binary": binary, "multiclass": str(round(score))}[task]
        made.append((x, label))
    return made


def delays(kind: str) -> list[int]:
    """In ms; ten rows, or anything up to 9 (the newest 16 versions are kept)."""
    chance = Random(3)
    return [10 * ROW_MS if kind == "constant" else chance.randrange(1, 9_000) for _ in range(N)]


def by_river(task: Task, late: Sequence[int]) -> float:
    """Its figure over all rows whose answer came while it still asked."""
    model = compose.Pipeline(preprocessing.StandardScaler(), BARE[task].clone())
    stream: list[Any] = [
        (x, y == "true" if task == "binary" else y) for x, y in rows(task, KNOWN + N)
    ]
    for x, y in stream[:KNOWN]:
        model.learn_one(x, y)
    kinds: dict[bool, Any] = {True: metrics.MAE, False: metrics.Accuracy}
    metric = kinds[task == "regression"]()
    moments, waits = iter(range(0, N * ROW_MS, ROW_MS)), iter(late)
    found = evaluate.progressive_val_score(
        stream[KNOWN:], model, metric,
        moment=lambda x: next(moments), delay=lambda x, y: next(waits),
    )  # fmt: skip
    return float(found.get())


def by_us(task: Task, late: Sequence[int]) -> tuple[LearningMetric, int]:
    """The last figures of the fold, and how many versions it made."""
    learner = Learner({})
    known, streamed = rows(task, KNOWN + N)[:KNOWN], rows(task, KNOWN + N)[KNOWN:]
    spec = {
        "model": "m", "task": task,
        "features": [{"name": name, "kind": "numeric"} for name in NAMES],
        "pipelines": {"p": STEPS[task]}, "warm": {"p": {"file": "known", "label": "y"}},
        "version_every": 1,
    }  # fmt: skip
    files = {"known": artifact_of(csv_of(known, "y"), learner.store)}
    body = SpecBody.model_validate({"spec_hash": "a" * 16, "spec": spec, "files": files})
    outcomes = learner.take(Upcoming(0, START - 1, SpecControl(model="m", seq=1, body=body)))
    answers = sorted((row * ROW_MS + wait, row) for row, wait in enumerate(late))
    for place, (at, row) in enumerate(answers):
        x, y = streamed[row]
        asked = START + row * ROW_MS
        joined = Joined(
            model="m", prediction_id=f"p{row}", model_version="v", predicted_at=asked,
            prediction_ts=asked + 3, prediction_tp=(0, row), label_ts=START + at - 1,
            label_tp=(0, row), features=dict(x), prediction=y, label=y,
        )  # fmt: skip
        outcomes += learner.take(Upcoming(place + 1, START + at, joined))
    made = sum(isinstance(out, VersionMade) for out in outcomes)
    figures = [m for m in outcomes if isinstance(m, LearningMetric) and m.kind == "metric"]
    return figures[-1], made


@pytest.mark.parametrize("kind", ["constant", "random"])
@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_river_says_the_same(task: Task, kind: str) -> None:
    late = delays(kind)
    ours, made = by_us(task, late)
    name = "as_of_mae" if task == "regression" else "as_of_accuracy"
    assert ours.metrics[name] == pytest.approx(by_river(task, late), rel=1e-12)
    assert ours.metrics["too_early"] == 0
    assert made == N + 1


def test_what_is_scored_when_the_label_comes_flatters() -> None:
    ours, _ = by_us("multiclass", [100 * ROW_MS] * N)
    assert ours.metrics["prequential_zero_delay_accuracy"] > ours.metrics["as_of_accuracy"] + 0.05
