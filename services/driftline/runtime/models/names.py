"""Which names may a pickled model ask for? Exactly these, each for one use.

They are what the classes of core/learning/allowed.py are made of, measured by training each with
each of its options. A name that is missing shows as a refused model, never as a loaded one.
"""

from collections.abc import Mapping
from typing import Final, Literal

# new: an instance is made without a call of its constructor. call: it is called with arguments.
# value: it may only stand somewhere, as the default of a dict does.
Use = Literal["new", "call", "value"]

_NEW: Final[Mapping[str, str]] = {
    "driftline.core.learning.binary": "BinaryLabels",
    "river.compose.pipeline": "Pipeline",
    "river.compose.select": "SelectType",
    "river.compose.union": "TransformerUnion",
    "river.drift.adwin": "ADWIN",
    "river.drift.no_drift": "NoDrift",
    "river.ensemble.bagging": "BaggingClassifier BaggingRegressor",
    "river.forest.adaptive_random_forest": (
        "ARFClassifier ARFRegressor BaseTreeClassifier BaseTreeRegressor"
    ),
    "river.linear_model.alma": "ALMAClassifier",
    "river.linear_model.lin_reg": "LinearRegression",
    "river.linear_model.log_reg": "LogisticRegression",
    "river.linear_model.pa": "PAClassifier",
    "river.linear_model.perceptron": "Perceptron",
    "river.linear_model.softmax": "SoftmaxRegression",
    "river.metrics.accuracy": "Accuracy",
    "river.metrics.confusion": "ConfusionMatrix",
    "river.metrics.mse": "MSE",
    "river.multiclass.ovr": "OneVsRestClassifier",
    "river.naive_bayes.gaussian": "GaussianNB",
    "river.optim.ada_delta": "AdaDelta",
    "river.optim.ada_grad": "AdaGrad",
    "river.optim.adam": "Adam",
    "river.optim.ftrl": "FTRLProximal",
    "river.optim.initializers": "Constant Zeros",
    "river.optim.losses": "Absolute CrossEntropy Hinge Huber Log Quantile Squared",
    "river.optim.momentum": "Momentum",
    "river.optim.rms_prop": "RMSProp",
    "river.optim.schedulers": "Constant InverseScaling",
    "river.optim.sgd": "SGD",
    "river.preprocessing.one_hot": "OneHotEncoder",
    "river.preprocessing.scale": "MaxAbsScaler MinMaxScaler StandardScaler",
    "river.preprocessing.scale_target": "TargetStandardScaler",
    "river.proba.gaussian": "Gaussian",
    "river.stats.maximum": "AbsMax Max",
    "river.stats.mean": "Mean",
    "river.stats.minimum": "Min",
    "river.stats.var": "Var",
    "river.tree.hoeffding_adaptive_tree_classifier": "HoeffdingAdaptiveTreeClassifier",
    "river.tree.hoeffding_adaptive_tree_regressor": "HoeffdingAdaptiveTreeRegressor",
    "river.tree.hoeffding_tree_classifier": "HoeffdingTreeClassifier",
    "river.tree.hoeffding_tree_regressor": "HoeffdingTreeRegressor",
    "river.tree.nodes.arf_htc_nodes": (
        "RandomLeafMajorityClass RandomLeafNaiveBayes RandomLeafNaiveBayesAdaptive"
    ),
    "river.tree.nodes.arf_htr_nodes": "RandomLeafAdaptive RandomLeafMean RandomLeafModel",
    "river.tree.nodes.branch": (
        "NominalBinaryBranch NominalMultiwayBranch NumericBinaryBranch NumericMultiwayBranch"
    ),
    "river.tree.nodes.hatc_nodes": (
        "AdaLeafClassifier AdaNomBinaryBranchClass AdaNomMultiwayBranchClass "
        "AdaNumBinaryBranchClass AdaNumMultiwayBranchClass"
    ),
    "river.tree.nodes.hatr_nodes": (
        "AdaLeafRegAdaptive AdaLeafRegMean AdaLeafRegModel AdaNomBinaryBranchReg "
        "AdaNomMultiwayBranchReg AdaNumBinaryBranchReg AdaNumMultiwayBranchReg"
    ),
    "river.tree.nodes.htc_nodes": "LeafMajorityClass LeafNaiveBayes LeafNaiveBayesAdaptive",
    "river.tree.nodes.htr_nodes": "LeafAdaptive LeafMean LeafModel",
    "river.tree.splitter.ebst_splitter": "EBSTSplitter",
    "river.tree.splitter.gaussian_splitter": "GaussianSplitter",
    "river.tree.splitter.nominal_splitter_classif": "NominalSplitterClassif",
    "river.tree.splitter.nominal_splitter_reg": "NominalSplitterReg",
    "river.tree.splitter.qo_splitter": "FeatureQuantizer QOSplitter Slot",
    "river.tree.splitter.tebst_splitter": "TEBSTSplitter",
    "statistics": "NormalDist",
}
_CALL: Final[Mapping[str, str]] = {
    "collections": "Counter OrderedDict defaultdict",
    "driftline.runtime.models.rebuilding": (
        "bound_method copies_of dicts_of search_tree windowing"
    ),
    "random": "Random",
    "river._river_rust.vectordict": "VectorDict",
}
_VALUE: Final[Mapping[str, str]] = {
    "builtins": "dict float int set str",
    "river.naive_bayes.gaussian": "GaussianNB._make_gaussian",
    "river.tree.splitter.nominal_splitter_reg": "NominalSplitterReg._update_estimator_univariate",
}


def _table() -> dict[tuple[str, str], Use]:
    uses: tuple[tuple[Use, Mapping[str, str]], ...] = (
        ("new", _NEW), ("call", _CALL), ("value", _VALUE),
    )  # fmt: skip
    return {
        (module, name): use
        for use, modules in uses
        for module, names in modules.items()
        for name in names.split()
    }


NAMES: Final[Mapping[tuple[str, str], Use]] = _table()
# Calls of these leave an object whose state follows.
STATEFUL_CALLS: Final = frozenset({("random", "Random")})
