"""What a specification may build, and how it is told what it may not."""

from typing import Any

import pytest
from river import linear_model, optim, preprocessing

from driftline.core.learning.allowed import ALLOWED, MAX_DEPTH
from driftline.core.learning.features import FeatureSchema
from driftline.core.learning.pipelines import build_pipeline
from driftline.core.learning.refusal import PipelineRefusedError
from driftline.core.learning.state_hash import state_hash
from driftline_schemas.spec import Feature, Task
from tests.unit.core.learning.examples import (
    ARFC,
    CASES,
    HATC,
    HTC,
    HTR,
    MIXED,
    NUMERIC,
    learn,
    made,
    rows,
    scaled,
    sgd,
)

PLACE = ("pipelines", "p")
TEXT_ONLY = FeatureSchema.of([Feature(name="colour", kind="categorical")])


@pytest.mark.parametrize("name", CASES)
def test_what_is_allowed_learns_and_predicts(name: str) -> None:
    case = CASES[name]
    model = case.build()
    learn(model, rows(case, 200))
    predictions = {type(model.predict_one(x)) for x, _ in rows(case, 20, seed=2)}
    assert predictions == {float if case.task == "regression" else str}


@pytest.mark.parametrize("name", CASES)
def test_the_same_specification_and_events_make_the_same_model(name: str) -> None:
    case = CASES[name]
    one, other = case.build(), case.build()
    learn(one, rows(case, 150))
    learn(other, rows(case, 150))
    assert state_hash(one) == state_hash(other)


BUILD_ERRORS: dict[str, tuple[list[Any], FeatureSchema, Task, tuple[object, ...], str]] = {
    "k-means": ([made("cluster.KMeans")], NUMERIC, "multiclass", (0, "class"), "set of strings"),
    "clustream": ([made("cluster.CluStream")], NUMERIC, "binary", (0, "class"), "set of strings"),
    "streaming k-means": (
        [made("cluster.STREAMKMeans")], NUMERIC, "binary", (0, "class"), "set of strings",
    ),
    "neighbours": ([made("neighbors.KNNClassifier")], NUMERIC, "binary", (0, "class"), "every run"),
    "an imputer": (
        [made("preprocessing.StatImputer"), made(HTC)], NUMERIC, "binary", (0, "class"), "left out",
    ),
    "an unknown class": (
        [made("linear_model.LogisticRegresion")],
        NUMERIC, "binary", (0, "class"), "did you mean linear_model.LogisticRegression",
    ),
    "a class of another package": ([made("os.system")], NUMERIC, "binary", (0, "class"), "none of"),
    "an unknown parameter": (
        scaled("linear_model.LogisticRegression", learning_rate=1),
        NUMERIC, "binary", (1, "parameters", "learning_rate"), "clip_gradient",
    ),
    "a value of another type": (
        [made(HTC, grace_period="often")],
        NUMERIC, "binary", (0, "parameters", "grace_period"), "whole number",
    ),
    "true for a number": (
        scaled("linear_model.LogisticRegression", l2=True),
        NUMERIC, "binary", (1, "parameters", "l2"), "must be a number",
    ),
    "a number that is not finite": (
        scaled("linear_model.LogisticRegression", optimizer=sgd(float("nan"))),
        NUMERIC, "binary", (1, "parameters", "optimizer", "parameters", "lr"), "must be a number",
    ),
    "too many trees": (
        [made(ARFC, seed=1, n_models=10**6)],
        NUMERIC, "binary", (0, "parameters", "n_models"), "between 1 and 100",
    ),
    "an unknown word": (
        [made(HTC, leaf_prediction="best")],
        NUMERIC, "binary", (0, "parameters", "leaf_prediction"), "mc, nb, nba",
    ),
    "no seed": ([made(HATC)], NUMERIC, "binary", (0, "parameters", "seed"), "give it a seed"),
    "no seed within": (
        [made("ensemble.BaggingClassifier", seed=1, model=made(HATC))],
        NUMERIC, "binary", (0, "parameters", "model", "parameters", "seed"), "give it a seed",
    ),
    "a model missing": (
        [made("ensemble.BaggingClassifier", seed=1)],
        NUMERIC, "binary", (0, "parameters", "model"), "needs it",
    ),
    "an optimizer that is none": (
        scaled("linear_model.LogisticRegression", optimizer=made(HTC)),
        NUMERIC, "binary", (1, "parameters", "optimizer", "class"), "not a optimizer",
    ),
    "a loss for regression": (
        scaled("linear_model.LogisticRegression", loss=made("optim.losses.Squared")),
        NUMERIC, "binary", (1, "parameters", "loss", "class"), "regression loss",
    ),
    "a regressor for classes": ([made(HTR)], NUMERIC, "binary", (0, "class"), "not a classifier"),
    "a scaler at the end": (
        [made("preprocessing.StandardScaler")], NUMERIC, "binary", (0, "class"), "not a classifier",
    ),
    "two models": ([made(HTC), made(HTC)], NUMERIC, "binary", (0, "class"), "not a transformer"),
    "two classes only": (
        [made("linear_model.LogisticRegression")],
        NUMERIC, "multiclass", (0, "class"), "OneVsRestClassifier",
    ),
    "text for numbers": (
        scaled("linear_model.SoftmaxRegression"), MIXED, "binary", (1, "class"), "OneHotEncoder",
    ),
    "text for linear leaves": ([made(HTR)], MIXED, "regression", (0, "class"), "OneHotEncoder"),
    "text for a bag of numbers": (
        [made("ensemble.BaggingClassifier", seed=1, model=made("naive_bayes.GaussianNB"))],
        MIXED, "binary", (0, "class"), "OneHotEncoder",
    ),
    "no text to encode": (
        [made("preprocessing.OneHotEncoder"), made(HTC)],
        NUMERIC, "binary", (0, "class"), "no categorical",
    ),
    "no numbers to scale": (scaled(HTC), TEXT_ONLY, "binary", (0, "class"), "no numeric"),
    "no steps": ([], NUMERIC, "binary", (), "no steps"),
    "a step without a class": ([{"parameters": {}}], NUMERIC, "binary", (0,), "which class"),
    "a step that is text": (["StandardScaler"], NUMERIC, "binary", (0,), "which class"),
    "another key": (
        [{"class": HTC, "params": {}}], NUMERIC, "binary", (0, "params"), "only class and",
    ),
    "parameters as a list": (
        [{"class": HTC, "parameters": [1]}], NUMERIC, "binary", (0, "parameters"), "names and",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BUILD_ERRORS)
def test_what_is_refused_is_named_by_its_place_with_the_reason(name: str) -> None:
    steps, schema, task, place, why = BUILD_ERRORS[name]
    with pytest.raises(PipelineRefusedError) as refusal:
        build_pipeline(steps, schema, task, PLACE)
    assert refusal.value.place == (*PLACE, *place)
    assert why in refusal.value.reason
    assert str(refusal.value).startswith("pipelines.p")


def test_seeds_are_told_by_their_path() -> None:
    steps = scaled("ensemble.BaggingClassifier", seed=7, model=made(HATC, seed=8))
    assert build_pipeline(steps, NUMERIC, "binary", PLACE).seeds == {"1.seed": 7, "1.model.seed": 8}


def test_the_depth_of_a_tree_does_not_depend_on_the_process() -> None:
    trees = [name for name in ALLOWED if name.startswith(("tree.Hoeffding", "forest."))]
    assert len(trees) == 6
    for name in trees:
        seed = {"seed": 1} if ALLOWED[name].seeded else {}
        task: Task = "regression" if name.endswith("Regressor") else "binary"
        model: Any = build_pipeline([made(name, **seed)], NUMERIC, task).model
        assert model.max_depth == MAX_DEPTH


def test_a_plain_pipeline_is_rivers_own() -> None:
    case = CASES["softmax"]
    bare = preprocessing.StandardScaler() | linear_model.SoftmaxRegression(optim.SGD(0.01))
    built = case.build()
    for features, label in rows(case, 300):
        assert built.predict_one(features) == bare.predict_one(features)
        built.learn_one(features, label)
        bare.learn_one(features, label)
    assert state_hash(built) == state_hash(bare)


def test_kinds_go_to_the_steps_that_read_them() -> None:
    case = CASES["logistic on mixed kinds"]
    built: Any = case.build()
    learn(built, rows(case, 100))
    seen: dict[str, Any] = {"colour": "red", "f0": 100.0, "new": 1.0}
    for step in list(built.model.steps.values())[:-1]:
        seen = step.transform_one(seen)
    assert seen["colour_red"] == 1
    assert seen["colour_green"] == 0
    assert 50 < seen["f0"] < 200
    assert seen["new"] != 1.0
