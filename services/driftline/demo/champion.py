"""The frozen champion of the demo: trained once on the known rows, never again."""

from collections.abc import Sequence
from random import Random
from typing import Any

from river import compose, linear_model, optim, preprocessing

from driftline.demo.stream import Features
from driftline_schemas.fields import Output

PASSES = 20


def train(known: Sequence[tuple[Features, Output | None]], seed: int) -> Any:
    """20 passes over the known rows, each in a new order (StandardScaler | SoftmaxRegression)."""
    model = compose.Pipeline(
        preprocessing.StandardScaler(), linear_model.SoftmaxRegression(optim.SGD(0.01))
    )
    rows = list(known)
    chance = Random(seed)  # noqa: S311 - reproducible, not secret
    for _ in range(PASSES):
        chance.shuffle(rows)
        for features, label in rows:
            model.learn_one(dict(features), label)
    return model
