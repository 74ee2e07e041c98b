"""One pipeline over the journal: as-of scores, versions, snapshots, failures."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import evaluate, linear_model, metrics, optim, preprocessing

from driftline.core.learning.features import Features
from driftline.core.learning.lineage import AsOf, Lineage, LineagePolicy
from driftline.core.learning.state_hash import state_hash
from driftline.runtime.models.loader import ModelRefusedError, SafeCodec
from tests.unit.core.learning.examples import (
    CASES,
    DAY,
    FEW,
    HATC,
    Case,
    begin,
    example,
    recipe,
    rows,
)

LATE = 10  # rows
METRICS: dict[str, Any] = {"mae": metrics.MAE, "accuracy": metrics.Accuracy}


def fold(lineage: Lineage, case: Case, n: int, late: int = LATE) -> list[AsOf | None]:
    """Row i is asked for at 2 i; its label comes just before row i + late is asked for."""
    return [
        lineage.step(example(i, x, y, 2 * i, 2 * (i + late) - 1)).score
        for i, (x, y) in enumerate(rows(case, n))
    ]


def bare(name: str) -> Any:
    models = {
        "softmax": linear_model.SoftmaxRegression(optim.SGD(0.01)),
        "logistic": linear_model.LogisticRegression(optim.SGD(0.01)),
        "linear": linear_model.LinearRegression(),
    }
    return preprocessing.StandardScaler() | models[name]


@pytest.mark.parametrize("name", ["softmax", "logistic", "linear"])
def test_river_delayed_validation_gives_the_same_predictions(name: str) -> None:
    # With a version after every label, "the newest that existed" is the model that River asks.
    case, n = CASES[name], 400
    ours = fold(begin(case, every=1, time=-1), case, n)
    stream: list[Any] = [(x, y == "true" if name == "logistic" else y) for x, y in rows(case, n)]
    metric = METRICS["mae" if name == "linear" else "accuracy"]()
    steps = evaluate.iter_progressive_val_score(
        stream, bare(name), metric, moment=None, delay=LATE, step=1, yield_predictions=True
    )
    theirs = [step["Prediction"] for step in steps]
    for mine, river in zip(ours, theirs, strict=True):
        assert mine is not None
        named = str(river).lower() if isinstance(river, bool) else river
        # Before its first label ours predicts nothing, where River's says false.
        assert mine.prediction == named or (mine.prediction is None and mine.version.labels == 0)


def test_river_delayed_validation_gives_the_same_figure() -> None:
    case, n = CASES["linear"], 400
    lineage = begin(case, every=1, time=-1)
    fold(lineage, case, n)
    theirs = evaluate.progressive_val_score(
        list[Any](rows(case, n)), bare("linear"), METRICS["mae"](), moment=None, delay=LATE
    )
    assert lineage.figures.figures()["as_of_mae"] == pytest.approx(theirs.get(), rel=1e-12)


def test_scores_at_label_time_flatter() -> None:
    case = CASES["softmax"]
    lineage = begin(case, every=1, time=-1)
    fold(lineage, case, 600, late=200)
    figures = lineage.figures.figures()
    assert figures["prequential_zero_delay_accuracy"] > figures["as_of_accuracy"] + 0.1


def test_no_score_comes_from_a_version_that_did_not_exist() -> None:
    case = CASES["softmax"]
    lineage = begin(case, every=7, time=99)
    scores = fold(lineage, case, 300)
    assert scores[:50] == [None] * 50  # asked for at 99 or before
    assert lineage.figures.too_early == 50
    for i, score in enumerate(scores[50:], start=50):
        assert score is not None
        assert score.version.time < 2 * i
        assert score.version.time >= 2 * (i - 7) - 3 or score.version.number == 0


def test_versions_come_every_so_many_labels_and_say_what_they_learned() -> None:
    case = CASES["softmax"]
    lineage = begin(case, every=50)
    versions = [
        step.version
        for i, (x, y) in enumerate(rows(case, 170))
        if (step := lineage.step(example(5 + i, x, y, i, i))).version is not None
    ]
    assert [v.number for v in versions] == [1, 2, 3]
    assert [v.labels for v in versions] == [50, 100, 150]
    assert [v.offsets for v in versions] == [(0, 54), (0, 104), (0, 154)]
    assert [v.time for v in versions] == [49, 99, 149]
    assert versions[0].version_id == lineage.recipe.version_id((0, 54))
    assert state_hash(lineage.loaded(versions[2])) == versions[2].manifest.state_hash


def test_a_control_record_cuts_a_version_once() -> None:
    case = CASES["softmax"]
    lineage = begin(case, every=1_000)
    fold(lineage, case, 10)
    version = lineage.cut()
    assert (version.number, version.labels) == (1, 10)
    assert lineage.cut() is version


def test_a_late_label_does_not_turn_the_time_of_a_version_back() -> None:
    lineage = begin(CASES["softmax"], every=2)
    (x, y), *_ = rows(CASES["softmax"], 1)
    lineage.step(example(0, x, y, 5, 500))
    step = lineage.step(example(1, x, y, 5, 400))
    assert step.version is not None
    assert step.version.time == 500


@pytest.mark.parametrize("name", FEW)
@pytest.mark.parametrize("at", [0, 37, 50, 120])
def test_a_lineage_restored_anywhere_goes_on_identically(name: str, at: int) -> None:
    case = CASES[name]
    straight, restarted = begin(case, every=20), begin(case, every=20)
    for i, (x, y) in enumerate(rows(case, 160)):
        if i == at:
            snapshot = restarted.snapshot()
            restarted = Lineage.restore(
                recipe(), restarted.policy, SafeCodec(), snapshot.manifest, snapshot.artifacts
            )
        one = straight.step(example(i, x, y, 2 * i, 2 * i + 30))
        other = restarted.step(example(i, x, y, 2 * i, 2 * i + 30))
        assert same(one.score) == same(other.score)
    assert named(straight) == named(restarted)
    assert straight.figures.snapshot() == restarted.figures.snapshot()


def same(score: AsOf | None) -> object:
    return None if score is None else (score.prediction, score.version.number)


def named(lineage: Lineage) -> list[tuple[str, str]]:
    return [(v.version_id, v.manifest.state_hash) for v in lineage.shelf]


@settings(deadline=None, max_examples=10)
@given(st.sets(st.integers(1, 119), max_size=5), st.integers(1, 40))
def test_restarts_at_any_points_change_nothing(points: set[int], every: int) -> None:
    case = CASES["softmax"]
    straight, restarted = begin(case, every=every), begin(case, every=every)
    fold(straight, case, 120)
    for i, (x, y) in enumerate(rows(case, 120)):
        if i in points:
            snapshot = restarted.snapshot()
            restarted = Lineage.restore(
                recipe(), restarted.policy, SafeCodec(), snapshot.manifest, snapshot.artifacts
            )
        restarted.step(example(i, x, y, 2 * i, 2 * (i + LATE) - 1))
    assert named(straight) == named(restarted)
    assert state_hash(straight.model) == state_hash(restarted.model)


def test_a_snapshot_of_another_recipe_or_with_other_bytes_is_refused() -> None:
    case = CASES["softmax"]
    lineage = begin(case)
    fold(lineage, case, 60)
    manifest, artifacts = lineage.snapshot().manifest, lineage.snapshot().artifacts
    with pytest.raises(ValueError, match="not of pipeline"):
        Lineage.restore(
            replace(recipe(), spec_hash="f" * 16), lineage.policy, SafeCodec(), manifest, artifacts
        )
    swapped = dict.fromkeys(artifacts, artifacts[next(iter(artifacts))])
    with pytest.raises(ModelRefusedError):
        Lineage.restore(recipe(), lineage.policy, SafeCodec(), manifest, swapped)


def test_an_archived_champion_is_judged_but_never_learns() -> None:
    case = CASES[f"{HATC} with nba"]
    lineage = begin(case)
    fold(lineage, case, 100)
    leaving = lineage.shelf.newest
    policy = LineagePolicy(case.task, 7 * DAY, learns=False)
    archived = Lineage.archived(recipe(), policy, SafeCodec(), leaving, lineage.payload(leaving))
    scores = fold(archived, case, 300)
    assert archived.shelf.newest == leaving
    assert state_hash(archived.model) == leaving.manifest.state_hash
    assert scores[-1] is not None
    assert scores[-1].version == leaving
    assert archived.figures.as_of.n + archived.figures.too_early == 300


class Failing:
    """Learns until the third event."""

    def __init__(self) -> None:
        self.learned = 0

    def learn_one(self, x: dict[str, Any], y: Any) -> None:
        self.learned += 1
        if self.learned == 3:
            raise OverflowError("math range error")

    def predict_one(self, x: dict[str, Any]) -> str:
        raise ZeroDivisionError


def test_a_pipeline_that_fails_stops_alone_and_says_why() -> None:
    lineage = begin(CASES["softmax"], every=2)
    lineage.model = Failing()
    lineage.policy = replace(lineage.policy, version_every=1_000)
    (x, y), *_ = rows(CASES["softmax"], 1)
    for i in range(5):
        lineage.step(example(i, x, y, i + 1, i + 2))
    assert lineage.broken == "cannot learn record 2: OverflowError('math range error')"
    assert (lineage.labels, lineage.last) == (2, 1)
    assert lineage.cut() == lineage.shelf.newest
    assert lineage.figures.zero_delay.total == 0


def test_a_regression_that_diverges_keeps_its_figures_readable() -> None:
    case = CASES["linear"]
    lineage = begin(case, every=10)
    for i, (x, y) in enumerate(rows(case, 200)):
        huge: Features = {name: float(value) * 1e6 for name, value in x.items()}
        lineage.step(example(i, huge if i > 50 else x, y * 1e9, i + 1, i + 2))
    figures = lineage.figures.figures()
    assert figures.get("as_of_unusable", 0) + lineage.figures.as_of.n == 200
    assert all(abs(value) <= 1e12 for value in figures.values())
