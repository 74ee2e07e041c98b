"""The demo's specification, and the rows that it learns from, as an operator would write them."""

import csv
from pathlib import Path
from typing import Any

import yaml

from driftline.demo.stream import Stream
from driftline_schemas.spec import FeatureKind

ROWS = "known.csv"
STEP = {"optimizer": {"class": "optim.SGD", "parameters": {"lr": 0.01}}}
Steps = list[dict[str, Any]]


def write_spec(folder: Path, stream: Stream, *, learns: bool, seed: int) -> Path:
    """The known rows as CSV and the specification beside them. Without `learns` it only watches a
    model that is served outside."""
    with (folder / ROWS).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*stream.kinds, stream.label])
        for features, label in stream.rows[: stream.known]:
            writer.writerow([*features.values(), label])
    spec = {
        "model": stream.model,
        "task": stream.task,
        "features": [{"name": name, "kind": kind} for name, kind in stream.kinds.items()],
        "reference": {"file": ROWS, "label": stream.label},
    }
    path = folder / "spec.yaml"
    text = yaml.safe_dump(spec | (learning(stream, seed) if learns else {}), sort_keys=False)
    path.write_text(text, encoding="utf-8")
    return path


def learning(stream: Stream, seed: int) -> dict[str, Any]:
    """A frozen champion, and two challengers that learn on: its like, and a tree."""
    kinds = set(stream.kinds.values())
    linear = [*_prepared(kinds), _linear(stream)]
    like = "linear" if stream.task == "regression" else "softmax"
    return {
        "pipelines": {"frozen": linear, like: linear, "tree": [_tree(stream, kinds)]},
        "champion": "frozen",
        "train": {"frozen": {"file": ROWS, "passes": 20, "seed": seed}},
        "warm": {like: {"file": ROWS}, "tree": {"file": ROWS}},
        "version_every": 50,
        "follow": True,
    }


def _prepared(kinds: set[FeatureKind]) -> Steps:
    scaled: Steps = [{"class": "preprocessing.StandardScaler"}]
    encoded: Steps = [{"class": "preprocessing.OneHotEncoder"}]
    has_text, has_numbers = "categorical" in kinds, bool(kinds - {"categorical"})
    return (scaled if has_numbers else []) + (encoded if has_text else [])


def _linear(stream: Stream) -> dict[str, Any]:
    if stream.task != "regression":
        return {"class": "linear_model.SoftmaxRegression", "parameters": STEP}
    regressor = {"class": "linear_model.LinearRegression", "parameters": STEP}
    return {"class": "preprocessing.TargetStandardScaler", "parameters": {"regressor": regressor}}


def _tree(stream: Stream, kinds: set[FeatureKind]) -> dict[str, Any]:
    if stream.task != "regression":
        return {"class": "tree.HoeffdingAdaptiveTreeClassifier", "parameters": {"seed": 1}}
    # Leaves with linear models, the default, read no texts.
    leaves = {"leaf_prediction": "mean"} if "categorical" in kinds else {}
    return {"class": "tree.HoeffdingAdaptiveTreeRegressor", "parameters": {"seed": 1, **leaves}}
