"""Pipelines that between them use every class that may be used, and events to learn from."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from driftline.core.learning.binary import OnlineModel
from driftline.core.learning.features import Features, FeatureSchema
from driftline.core.learning.lineage import Example, Lineage, LineagePolicy
from driftline.core.learning.pipelines import build_pipeline
from driftline.core.learning.versions import Recipe
from driftline.runtime.models.loader import SafeCodec
from driftline_schemas.spec import Feature, Task

Steps = list[dict[str, Any]]
DAY = 86_400_000


def made(name: str, **parameters: object) -> dict[str, Any]:
    return {"class": name, "parameters": parameters}


def scaled(name: str, **parameters: object) -> Steps:
    return [{"class": "preprocessing.StandardScaler"}, made(name, **parameters)]


def sgd(rate: float) -> dict[str, Any]:
    return made("optim.SGD", lr=rate)


NUMBERS = [Feature(name=f"f{i}", kind="numeric") for i in range(5)]
NUMERIC = FeatureSchema.of(NUMBERS)
MIXED = FeatureSchema.of([
    *NUMBERS,
    Feature(name="colour", kind="categorical"),
    Feature(name="new", kind="boolean"),
])  # fmt: skip


@dataclass(frozen=True, slots=True)
class Case:
    steps: Steps
    schema: FeatureSchema
    task: Task

    def build(self) -> OnlineModel:
        return build_pipeline(self.steps, self.schema, self.task).model


def _logistic(**parameters: object) -> Case:
    return Case(scaled("linear_model.LogisticRegression", **parameters), NUMERIC, "binary")


def _linear(**parameters: object) -> Case:
    return Case(scaled("linear_model.LinearRegression", **parameters), NUMERIC, "regression")


def _class_tree(name: str, **parameters: object) -> Case:
    return Case([made(name, grace_period=50, **parameters)], MIXED, "multiclass")


def _regression_tree(name: str, schema: FeatureSchema = NUMERIC, **parameters: object) -> Case:
    return Case([made(name, grace_period=50, **parameters)], schema, "regression")


HTC, HATC, ARFC = (
    "tree.HoeffdingTreeClassifier", "tree.HoeffdingAdaptiveTreeClassifier", "forest.ARFClassifier",
)  # fmt: skip
HTR, HATR, ARFR = (
    "tree.HoeffdingTreeRegressor", "tree.HoeffdingAdaptiveTreeRegressor", "forest.ARFRegressor",
)  # fmt: skip
OPTIMIZERS = (
    "Adam", "AdaGrad", "AdaDelta", "RMSProp", "Momentum", "FTRLProximal", "SGD",
)  # fmt: skip
NOTHING: dict[str, Any] = {}
MEAN: Mapping[str, Any] = {"leaf_prediction": "mean"}

CASES: dict[str, Case] = {
    "softmax": Case(
        scaled("linear_model.SoftmaxRegression", optimizer=sgd(0.01)), NUMERIC, "multiclass"
    ),
    "softmax with a loss": Case(
        scaled("linear_model.SoftmaxRegression", loss=made("optim.losses.CrossEntropy")),
        NUMERIC,
        "multiclass",
    ),
    "logistic": _logistic(optimizer=sgd(0.01)),
    "logistic with hinge": _logistic(loss=made("optim.losses.Hinge")),
    "logistic with log loss": _logistic(loss=made("optim.losses.Log", weight_pos=2)),
    "logistic on mixed kinds": Case(
        [
            {"class": "preprocessing.StandardScaler"},
            {"class": "preprocessing.OneHotEncoder"},
            made("linear_model.LogisticRegression"),
        ],
        MIXED,
        "binary",
    ),
    "logistic, constant start": _logistic(
        initializer=made("optim.initializers.Constant", value=0.5)
    ),
    "logistic, zero start": _logistic(initializer=made("optim.initializers.Zeros")),
    "logistic, falling rate": _logistic(
        optimizer=made("optim.SGD", lr=made("optim.schedulers.InverseScaling", learning_rate=0.1)),
        intercept_lr=made("optim.schedulers.Constant", learning_rate=0.1),
    ),
    **{f"logistic by {name}": _logistic(optimizer=made(f"optim.{name}")) for name in OPTIMIZERS},
    "passive aggressive": Case(scaled("linear_model.PAClassifier"), NUMERIC, "binary"),
    "passive aggressive, mode 2": Case(
        scaled("linear_model.PAClassifier", mode=2), NUMERIC, "binary"
    ),
    "perceptron": Case(scaled("linear_model.Perceptron"), NUMERIC, "binary"),
    "alma on min-max": Case(
        [{"class": "preprocessing.MinMaxScaler"}, made("linear_model.ALMAClassifier")],
        NUMERIC,
        "binary",
    ),
    "alma on max-abs": Case(
        [{"class": "preprocessing.MaxAbsScaler"}, made("linear_model.ALMAClassifier")],
        NUMERIC,
        "binary",
    ),
    "bayes": Case([made("naive_bayes.GaussianNB")], NUMERIC, "multiclass"),
    "one against the rest": Case(
        scaled(
            "multiclass.OneVsRestClassifier", classifier=made("linear_model.LogisticRegression")
        ),
        NUMERIC,
        "multiclass",
    ),
    "bagged logistic": Case(
        scaled(
            "ensemble.BaggingClassifier",
            model=made("linear_model.LogisticRegression"),
            n_models=3,
            seed=1,
        ),
        NUMERIC,
        "binary",
    ),
    **{
        f"{name} with {leaf}": _class_tree(name, leaf_prediction=leaf, **rest)
        for name, rest in (
            (HTC, {}),
            (HATC, {"seed": 1}),
            (ARFC, {"seed": 1, "n_models": 3, "lambda_value": 2}),
        )
        for leaf in ("mc", "nb", "nba")
    },
    "class tree of two branches": _class_tree(
        HTC, binary_split=True, splitter=made("tree.splitter.GaussianSplitter", n_splits=5)
    ),
    "adaptive class tree of two branches": _class_tree(
        HATC, binary_split=True, seed=2, drift_detector=made("drift.ADWIN", delta=0.01)
    ),
    "forest without detectors": _class_tree(
        ARFC,
        seed=1,
        n_models=2,
        drift_detector=made("drift.NoDrift"),
        warning_detector=made("drift.NoDrift"),
    ),
    "linear": _linear(),
    **{
        f"linear by {loss}": _linear(loss=made(f"optim.losses.{loss}"))
        for loss in ("Squared", "Absolute", "Huber", "Quantile")
    },
    "linear on a scaled target": Case(
        scaled(
            "preprocessing.TargetStandardScaler", regressor=made("linear_model.LinearRegression")
        ),
        NUMERIC,
        "regression",
    ),
    **{
        f"{name} with {leaf}": _regression_tree(name, leaf_prediction=leaf, **rest)
        for name, rest in (
            (HTR, NOTHING),
            (HATR, {"seed": 1}),
            (ARFR, {"seed": 1, "n_models": 2, "lambda_value": 2}),
        )
        for leaf in ("mean", "model", "adaptive")
    },
    **{
        f"regression tree by {name}": _regression_tree(HTR, splitter=made(f"tree.splitter.{name}"))
        for name in ("TEBSTSplitter", "EBSTSplitter", "QOSplitter")
    },
    "regression tree with linear leaves": _regression_tree(
        HTR, leaf_model=made("linear_model.LinearRegression", l2=0.1)
    ),
    "regression tree on mixed kinds": _regression_tree(HTR, MIXED, **MEAN),
    "regression tree of two branches": _regression_tree(HTR, MIXED, binary_split=True, **MEAN),
    "adaptive regression tree on mixed kinds": _regression_tree(
        HATR, MIXED, binary_split=True, seed=1, **MEAN
    ),
    "bagged regression trees": Case(
        [made("ensemble.BaggingRegressor", model=made(HTR), n_models=2, seed=1)],
        NUMERIC,
        "regression",
    ),
}

# One of each way to learn, for laws that are slow to check.
FEW = (
    "softmax", "logistic on mixed kinds", "passive aggressive", "bayes", f"{HATC} with nba",
    f"{ARFC} with nba", "linear on a scaled target", f"{HATR} with adaptive",
)  # fmt: skip


def learn(model: OnlineModel, rows: Iterator[tuple[Features, Any]]) -> None:
    for features, label in rows:
        model.learn_one(features, label)


def rows(case: Case, n: int, seed: int = 1) -> Iterator[tuple[Features, Any]]:
    """Canonical features, some missing, and labels that depend on them, otherwise after half."""
    rng = random.Random(seed)
    for i in range(n):
        recorded: dict[str, object] = {f"f{k}": rng.gauss(0, 1) for k in range(5)}
        score = float(str(recorded["f0"])) + (2 if i < n / 2 else -2) * float(str(recorded["f1"]))
        recorded |= {"colour": rng.choice(["red", "green", "blue"]), "new": rng.random() < 0.5}
        score += recorded["colour"] == "red"
        if rng.random() < 0.05:
            recorded["f3"] = None
        label = score if case.task == "regression" else ("true" if score > 0 else "false")
        yield case.schema.canonical(recorded), label


def recipe(pipeline: str = "p") -> Recipe:
    return Recipe("m", pipeline, "0" * 16, {}, "code", {"python": "3.11"})


def begin(case: Case, *, every: int = 50, learns: bool = True, time: int = 0) -> Lineage:
    policy = LineagePolicy(case.task, 7 * DAY, every, learns)
    return Lineage.begin(recipe(), policy, SafeCodec(), case.build(), offset=0, time=time)


def example(offset: int, features: Features, label: Any, asked_at: int, label_ts: int) -> Example:
    return Example(offset, features, label, asked_at, label_ts)
