"""Which classes of River may a pipeline be built from, and with which parameters?

Only classes that learn the same from the same events in the same order, in any process; whatever
draws must be seeded. The loader's list of exact names must cover what these classes are made of.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from river import (
    drift,
    ensemble,
    forest,
    linear_model,
    multiclass,
    naive_bayes,
    optim,
    preprocessing,
    tree,
)
from river.tree import splitter

from driftline.core.learning.parameters import (
    Choice,
    Either,
    FeatureNames,
    Flag,
    Number,
    Parameter,
    Part,
    Role,
    Whole,
)

# River's own default is the recursion limit of the process, less 20: another process would make
# another state. A tree this deep still fits the C stack that a snapshot is written on.
MAX_DEPTH: Final = 50
Eats = Literal["numbers", "text", "both"]
Parameters = Mapping[str, Parameter | Part]


@dataclass(frozen=True, slots=True)
class Allowed:
    """A class: how it is made and what may be said of it. `seeded`: `seed` must be given.
    `defaults` stand where a specification says nothing."""

    make: Callable[..., Any]
    role: Role
    parameters: Parameters = field(default_factory=dict)
    eats: Eats = "numbers"
    seeded: bool = False
    required: tuple[str, ...] = ()
    defaults: Mapping[str, object] = field(default_factory=dict)


RATE: Final = Part("scheduler", or_number=Number())
POSITIVE: Final = Number(1e-12)
SHARE: Final = Number(0, 1)
SEED: Final = Whole(0, 2**32 - 1)
DEPTH: Final = Whole(1, MAX_DEPTH)
LINEAR: Final[Parameters] = {
    "optimizer": Part("optimizer"),
    "l2": Number(),
    "l1": Number(),
    "intercept_init": Number(-1e12),
    "intercept_lr": RATE,
    "clip_gradient": POSITIVE,
    "initializer": Part("initializer"),
}
TREE: Final[Parameters] = {
    "grace_period": Whole(1),
    "max_depth": DEPTH,
    "delta": SHARE,
    "tau": SHARE,
    "nominal_attributes": FeatureNames(),
    "binary_split": Flag(),
    "max_size": POSITIVE,
    "memory_estimate_period": Whole(1),
    "stop_mem_management": Flag(),
    "remove_poor_attrs": Flag(),
    "merit_preprune": Flag(),
}
CLASS_TREE: Final[Parameters] = {
    **TREE,
    "split_criterion": Choice(("gini", "info_gain", "hellinger")),
    "leaf_prediction": Choice(("mc", "nb", "nba")),
    "nb_threshold": Whole(),
    "splitter": Part("class_splitter"),
    "min_branch_fraction": SHARE,
    "max_share_to_split": SHARE,
}
REGRESSION_TREE: Final[Parameters] = {
    **TREE,
    "leaf_prediction": Choice(("mean", "model", "adaptive")),
    "leaf_model": Part("regressor"),
    "model_selector_decay": SHARE,
    "splitter": Part("regression_splitter"),
    "min_samples_split": Whole(1),
}
ADAPTIVE: Final[Parameters] = {
    "bootstrap_sampling": Flag(),
    "drift_window_threshold": Whole(1),
    "drift_detector": Part("detector"),
    "switch_significance": SHARE,
    "seed": SEED,
}
FOREST: Final[Parameters] = {
    "n_models": Whole(1, 100),
    "max_features": Either((Choice(("sqrt", "log2")), Flag(), Whole(1), SHARE)),
    "lambda_value": Whole(1, 1_000),
    "disable_weighted_vote": Flag(),
    "drift_detector": Part("detector"),
    "warning_detector": Part("detector"),
    "seed": SEED,
}
DEEP: Final = {"max_depth": MAX_DEPTH}


def _bag(make: Callable[..., Any], role: Role) -> Allowed:
    parameters: Parameters = {"model": Part(role), "n_models": Whole(1, 100), "seed": SEED}
    return Allowed(make, role, parameters, "both", seeded=True, required=("model",))


TRANSFORMERS: Final = {
    "preprocessing.StandardScaler": Allowed(
        preprocessing.StandardScaler, "transformer", {"with_std": Flag()}
    ),
    "preprocessing.MinMaxScaler": Allowed(preprocessing.MinMaxScaler, "transformer"),
    "preprocessing.MaxAbsScaler": Allowed(preprocessing.MaxAbsScaler, "transformer"),
    "preprocessing.OneHotEncoder": Allowed(
        preprocessing.OneHotEncoder,
        "transformer",
        {"drop_zeros": Flag(), "drop_first": Flag()},
        "text",
    ),
}
CLASSIFIERS: Final = {
    "linear_model.LogisticRegression": Allowed(
        linear_model.LogisticRegression, "classifier", {**LINEAR, "loss": Part("binary_loss")}
    ),
    "linear_model.SoftmaxRegression": Allowed(
        linear_model.SoftmaxRegression,
        "classifier",
        {"optimizer": Part("optimizer"), "loss": Part("class_loss"), "l2": Number()},
    ),
    "linear_model.PAClassifier": Allowed(
        linear_model.PAClassifier,
        "classifier",
        {"C": POSITIVE, "mode": Whole(1, 2), "learn_intercept": Flag()},
    ),
    "linear_model.Perceptron": Allowed(
        linear_model.Perceptron, "classifier", {"l2": Number(), "clip_gradient": POSITIVE}
    ),
    "linear_model.ALMAClassifier": Allowed(
        linear_model.ALMAClassifier,
        "classifier",
        {"p": Whole(2, 100), "alpha": SHARE, "B": POSITIVE, "C": POSITIVE},
    ),
    "naive_bayes.GaussianNB": Allowed(naive_bayes.GaussianNB, "classifier"),
    "tree.HoeffdingTreeClassifier": Allowed(
        tree.HoeffdingTreeClassifier, "classifier", CLASS_TREE, "both", defaults=DEEP
    ),
    "tree.HoeffdingAdaptiveTreeClassifier": Allowed(
        tree.HoeffdingAdaptiveTreeClassifier,
        "classifier",
        {**CLASS_TREE, **ADAPTIVE},
        "both",
        seeded=True,
        defaults=DEEP,
    ),
    "forest.ARFClassifier": Allowed(
        forest.ARFClassifier,
        "classifier",
        {**CLASS_TREE, **FOREST},
        "both",
        seeded=True,
        defaults=DEEP,
    ),
    "ensemble.BaggingClassifier": _bag(ensemble.BaggingClassifier, "classifier"),
    "multiclass.OneVsRestClassifier": Allowed(
        multiclass.OneVsRestClassifier,
        "classifier",
        {"classifier": Part("classifier")},
        "both",
        required=("classifier",),
    ),
}
REGRESSORS: Final = {
    "linear_model.LinearRegression": Allowed(
        linear_model.LinearRegression, "regressor", {**LINEAR, "loss": Part("regression_loss")}
    ),
    "preprocessing.TargetStandardScaler": Allowed(
        preprocessing.TargetStandardScaler,
        "regressor",
        {"regressor": Part("regressor")},
        "both",
        required=("regressor",),
    ),
    "tree.HoeffdingTreeRegressor": Allowed(
        tree.HoeffdingTreeRegressor, "regressor", REGRESSION_TREE, "both", defaults=DEEP
    ),
    "tree.HoeffdingAdaptiveTreeRegressor": Allowed(
        tree.HoeffdingAdaptiveTreeRegressor,
        "regressor",
        {**REGRESSION_TREE, **ADAPTIVE},
        "both",
        seeded=True,
        defaults=DEEP,
    ),
    "forest.ARFRegressor": Allowed(
        forest.ARFRegressor,
        "regressor",
        {**REGRESSION_TREE, **FOREST, "aggregation_method": Choice(("mean", "median"))},
        "both",
        seeded=True,
        defaults=DEEP,
    ),
    "ensemble.BaggingRegressor": _bag(ensemble.BaggingRegressor, "regressor"),
}
LEARNING: Final = {
    "optim.SGD": Allowed(optim.SGD, "optimizer", {"lr": RATE}),
    "optim.Adam": Allowed(
        optim.Adam,
        "optimizer",
        {"lr": RATE, "beta_1": SHARE, "beta_2": SHARE, "eps": POSITIVE},
    ),
    "optim.AdaGrad": Allowed(optim.AdaGrad, "optimizer", {"lr": RATE, "eps": POSITIVE}),
    "optim.AdaDelta": Allowed(optim.AdaDelta, "optimizer", {"rho": SHARE, "eps": POSITIVE}),
    "optim.RMSProp": Allowed(
        optim.RMSProp, "optimizer", {"lr": RATE, "rho": SHARE, "eps": POSITIVE}
    ),
    "optim.Momentum": Allowed(optim.Momentum, "optimizer", {"lr": RATE, "rho": SHARE}),
    "optim.FTRLProximal": Allowed(
        optim.FTRLProximal,
        "optimizer",
        {"alpha": POSITIVE, "beta": Number(), "l1": Number(), "l2": Number()},
    ),
    "optim.schedulers.Constant": Allowed(
        optim.schedulers.Constant,
        "scheduler",
        {"learning_rate": Number()},
        required=("learning_rate",),
    ),
    "optim.schedulers.InverseScaling": Allowed(
        optim.schedulers.InverseScaling,
        "scheduler",
        {"learning_rate": Number(), "power": Number()},
        required=("learning_rate",),
    ),
    "optim.initializers.Zeros": Allowed(optim.initializers.Zeros, "initializer"),
    "optim.initializers.Constant": Allowed(
        optim.initializers.Constant, "initializer", {"value": Number(-1e12)}, required=("value",)
    ),
    "optim.losses.Log": Allowed(
        optim.losses.Log, "binary_loss", {"weight_pos": Number(), "weight_neg": Number()}
    ),
    "optim.losses.Hinge": Allowed(optim.losses.Hinge, "binary_loss", {"threshold": Number()}),
    "optim.losses.CrossEntropy": Allowed(optim.losses.CrossEntropy, "class_loss"),
    "optim.losses.Squared": Allowed(optim.losses.Squared, "regression_loss"),
    "optim.losses.Absolute": Allowed(optim.losses.Absolute, "regression_loss"),
    "optim.losses.Huber": Allowed(optim.losses.Huber, "regression_loss", {"epsilon": POSITIVE}),
    "optim.losses.Quantile": Allowed(optim.losses.Quantile, "regression_loss", {"alpha": SHARE}),
}
GROWING: Final = {
    "tree.splitter.GaussianSplitter": Allowed(
        splitter.GaussianSplitter, "class_splitter", {"n_splits": Whole(1, 1_000)}
    ),
    "tree.splitter.TEBSTSplitter": Allowed(
        splitter.TEBSTSplitter, "regression_splitter", {"digits": Whole(0, 15)}
    ),
    "tree.splitter.EBSTSplitter": Allowed(splitter.EBSTSplitter, "regression_splitter"),
    "tree.splitter.QOSplitter": Allowed(
        splitter.QOSplitter, "regression_splitter", {"radius": POSITIVE}
    ),
    "drift.ADWIN": Allowed(
        drift.ADWIN,
        "detector",
        {
            "delta": SHARE,
            "clock": Whole(1, 100_000),
            "max_buckets": Whole(1, 100),
            "min_window_length": Whole(1, 100_000),
            "grace_period": Whole(1, 100_000),
        },
    ),
    "drift.NoDrift": Allowed(drift.NoDrift, "detector"),
}
ALLOWED: Final[Mapping[str, Allowed]] = {
    **TRANSFORMERS, **CLASSIFIERS, **REGRESSORS, **LEARNING, **GROWING,
}  # fmt: skip

_SET_ORDER: Final = (
    "draws in the order of a set of strings, which differs from process to process even with a seed"
)
_NEIGHBOURS: Final = "learns something else on every run, although it has no seed to give"
REFUSED: Final[Mapping[str, str]] = {
    "cluster.KMeans": _SET_ORDER,
    "cluster.CluStream": _SET_ORDER,
    "cluster.STREAMKMeans": _SET_ORDER,
    "neighbors.KNNClassifier": _NEIGHBOURS,
    "neighbors.KNNRegressor": _NEIGHBOURS,
    "preprocessing.StatImputer": (
        "needs missing features as nulls, but they are left out; after a StandardScaler a feature "
        "that is left out counts as its mean, and trees and GaussianNB do without it"
    ),
    "linear_model.PARegressor": "keeps numpy numbers in its state, which the loader does not read",
    "optim.initializers.Normal": (
        "keeps a generator of numpy in the state, which the loader does not read; weights of a "
        "linear model may start at zero"
    ),
    "ensemble.SRPClassifier": (
        "draws its subspaces by the order of the features; take forest.ARFClassifier"
    ),
}
