"""The frozen champion of the demo: trained once on the known rows, never again."""

from random import Random
from typing import Any

from river import compose, linear_model, optim, preprocessing

from driftline.demo.segments import KNOWN_ROWS, Features

PASSES = 20


def train(known: list[tuple[Features, str]], seed: int) -> Any:
    """20 passes over the known rows, each in a new order (StandardScaler | SoftmaxRegression)."""
    model = compose.Pipeline(
        preprocessing.StandardScaler(), linear_model.SoftmaxRegression(optim.SGD(0.01))
    )
    rows = known[:KNOWN_ROWS]
    chance = Random(seed)  # noqa: S311 - reproducible, not secret
    for _ in range(PASSES):
        chance.shuffle(rows)
        for features, label in rows:
            model.learn_one(features, label)
    return model
