"""A small world that learns quickly: two features, whose meaning turns around after a while."""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from tests.unit.core.learning.examples import scaled, sgd
from tests.world.loop import World
from tests.world.streams import Played, Row, csv_of, play

NAMES = ("a", "b", "c")
LOGISTIC = scaled("linear_model.LogisticRegression", optimizer=sgd(0.1))
SOFTMAX = scaled("linear_model.SoftmaxRegression", optimizer=sgd(0.1))
KNOWN = {"file": "known.csv", "label": "y"}


def rows(n: int, seed: int = 0, turn: int = 0) -> list[Row]:
    """`turn`: the row from which on the second feature means the opposite; 0: never."""
    chance, made = Random(seed), list[Row]()
    for number in range(n):
        x = {name: chance.gauss(0, 1) for name in NAMES}
        sign = -1 if turn and number >= turn else 1
        made.append((x, "yes" if x["a"] / 2 + sign * x["b"] > 0 else "no"))
    return made


def spec(**parts: Any) -> dict[str, Any]:
    """A frozen champion made from a file, and a challenger that learned it and learns on."""
    return {
        "model": "m", "task": "binary",
        "features": [{"name": name, "kind": "numeric"} for name in NAMES],
        "pipelines": {"frozen": LOGISTIC, "live": LOGISTIC},
        "train": {"frozen": {**KNOWN, "passes": 2, "seed": 3}},
        "warm": {"live": KNOWN},
        "champion": "frozen", "version_every": 20, "follow": True,
        "gate": {"least_gain": 0.02, "min_pairs": 100},
        **parts,
    }  # fmt: skip


KNOWN_FILE = csv_of(rows(200, seed=9), "y")


def world(files: Mapping[str, bytes] | None = None, **parts: Any) -> World:
    """One in which the specification is in force."""
    made = World()
    made.apply(spec(**parts), {"known.csv": KNOWN_FILE} if files is None else files)
    return made


def turned(made: World, n: int = 600, turn: int = 150, late: int = 10) -> Played:
    """A stream that turns around."""
    return play(made, rows(n, turn=turn), first=0, late=lambda row: late)


def lineages(made: World) -> Sequence[str]:
    """Those of the only model, in their order."""
    return list(made.learner.fold.models["m"].roster.entrants)
