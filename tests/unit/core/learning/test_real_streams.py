"""Real streams through learner and registry; above the upper ends labels would leak."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

import pytest

from driftline.core.learning.outcomes import GateDecided
from driftline_schemas.registry import LearningMetric
from tests.marks import long
from tests.unit.core.learning.examples import made as part
from tests.unit.core.learning.examples import scaled, sgd
from tests.world.loop import World
from tests.world.streams import DATA, Played, Row, csv_of, play, read_rows

pytestmark = [
    pytest.mark.integration,  # they take minutes
    pytest.mark.skipif(not DATA.exists(), reason="the data sets lie beside the checkout only"),
]
KNOWN = {"file": "known.csv", "label": "y"}


def stream(name: str, leave_out: Sequence[str], label: str, *, number: bool = False) -> list[Row]:
    rows = read_rows(name)
    names = [column for column in rows[0] if column not in (*leave_out, label)]
    return [
        ({n: float(row[n]) for n in names}, float(row[label]) if number else row[label])
        for row in rows
    ]


def begin(task: str, known: Sequence[Row], **parts: Any) -> World:
    world = World()
    world.apply(
        {
            "model": "m", "task": task, "version_every": 50, "follow": True,
            "features": [{"name": name, "kind": "numeric"} for name in known[0][0]],
            **parts,
        },
        {"known.csv": csv_of(known, "y")},
    )  # fmt: skip
    return world


def through(world: World, rows: Sequence[Row], first: int, late: int) -> Played:
    return play(world, rows[first:], first=first, late=lambda row: late)


def newest(world: World) -> Mapping[str, LearningMetric]:
    told = [m for m in world.outcomes if isinstance(m, LearningMetric) and m.kind == "metric"]
    assert all(isfinite(n) for metric in told for n in metric.metrics.values())
    return {metric.pipeline: metric for metric in told}


@long
def test_insects_change_and_the_challenger_takes_over_for_good() -> None:
    rows, first = stream("abrupt_insects/abrupt_insects.csv.gz", (), "class"), 1_065
    softmax = scaled("linear_model.SoftmaxRegression", optimizer=sgd(0.01))
    world = begin(
        "multiclass", rows[:first], pipelines={"champion": softmax, "live": softmax},
        train={"champion": {**KNOWN, "passes": 20, "seed": 0}}, warm={"live": KNOWN},
        champion="champion",
    )  # fmt: skip
    played = through(world, rows, first, late=100)
    what = [name.partition(" on ")[0] for _, name in played.happened]
    assert what == ["opened", "live promoted", "resolved"]
    opened, promoted, resolved = (row for row, _ in played.happened)
    assert 1_920 <= opened <= 1_945
    assert 2_220 <= promoted <= 2_290
    assert resolved <= 2_620
    assert 0.79 <= played.accuracy() <= 0.82


@long
def test_a_forest_that_follows_from_the_first_day_on_elec2() -> None:
    rows, first = stream("elec2/elec2.csv.gz", ("date",), "class"), 9_062
    forest = [part("forest.ARFClassifier", seed=42)]
    world = begin(
        "binary", rows[: first - 48], pipelines={"forest": forest}, warm={"forest": KNOWN},
        champion="forest",
    )  # fmt: skip
    played = through(world, rows, first, late=48)
    assert 0.74 <= played.accuracy() <= 0.80
    assert world.model.deployed.body.deployment_seq > 700


def test_a_tree_follows_on_bikes_and_a_model_that_diverges_is_never_promoted() -> None:
    leave_out = ("instant", "dteday", "casual", "registered")
    rows, first = stream("bike_sharing/hour.csv.gz", leave_out, "cnt", number=True), 3_475
    world = begin(
        "regression", rows[: first - 24],
        pipelines={
            "tree": [part("tree.HoeffdingAdaptiveTreeRegressor", seed=1)],
            "linear": scaled("linear_model.LinearRegression"),
        },
        warm={"tree": KNOWN, "linear": KNOWN}, champion="tree",
    )  # fmt: skip
    played = through(world, rows, first, late=24)
    assert 80 <= played.mae() <= 90
    assert not [
        o for o in world.outcomes if isinstance(o, GateDecided) and o.gate.verdict == "promote"
    ]
    assert world.model.deployed.body.lineage == "tree"
    newest(world)  # all figures of the one that diverges can be written, too


def test_the_same_tree_frozen_on_bikes() -> None:
    leave_out = ("instant", "dteday", "casual", "registered")
    rows, first = stream("bike_sharing/hour.csv.gz", leave_out, "cnt", number=True), 3_475
    tree = [part("tree.HoeffdingAdaptiveTreeRegressor", seed=1)]
    world = begin(
        "regression", rows[: first - 24],
        pipelines={"frozen": tree}, train={"frozen": KNOWN}, champion="frozen",
    )  # fmt: skip
    assert 100 <= through(world, rows, first, late=24).mae() <= 107
