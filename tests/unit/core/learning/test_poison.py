"""Values that would stop a learner, its snapshots or its models are met and survived."""

from typing import Any

import orjson
import pytest

from tests.unit.core.learning.worlds import metrics_of
from tests.world.loop import World
from tests.world.small import LOGISTIC, NAMES, turned
from tests.world.small import world as begin

TREE = [{"class": "tree.HoeffdingTreeClassifier", "parameters": {"grace_period": 20}}]
REGRESSION = {
    "task": "regression",
    "metric": "accuracy",
    "pipelines": {
        "lin": [
            {"class": "preprocessing.StandardScaler"},
            {"class": "linear_model.LinearRegression"},
        ],
        "tree": [{"class": "tree.HoeffdingTreeRegressor", "parameters": {"grace_period": 20}}],
    },
    "train": {},
    "warm": {},
    "champion": None,
}


def broken(world: World) -> dict[str, str | None]:
    entrants = world.learner.fold.models["m"].roster.entrants
    return {name: entrant.lineage.broken for name, entrant in entrants.items()}


def label(world: World, x: dict[str, Any], prediction: Any, truth: Any, n: int = 1) -> None:
    for _ in range(n):
        world.now += 25
        world.label(x, prediction, "v", truth, world.now - 10)


def numbers() -> World:
    world = begin({}, **REGRESSION)
    for i in range(60):
        label(world, {name: float((i + at) % 7) for at, name in enumerate(NAMES)}, 1.0, float(i))
    return world


@pytest.mark.parametrize(
    ("prediction", "truth"),
    [(-(2**63), 2**64 - 1), (1.7e308, -1.7e308), (0.0, 1e200), (-(2**63), 1e15)],
)
def test_a_label_of_any_size_leaves_a_state_that_can_be_written(
    prediction: float, truth: float
) -> None:
    world = numbers()
    label(world, dict.fromkeys(NAMES, 1.0), prediction, truth)
    for i in range(300):
        label(world, {name: float((i + at) % 7) for at, name in enumerate(NAMES)}, 1.0, float(i))
    world.learner.restart()  # through JSON
    assert broken(world) == {"lin": None, "tree": None}
    assert orjson.dumps([figure.metrics for figure in metrics_of(world)])


@pytest.mark.parametrize("value", [1e16, -1e155, 1.7e308, 2**64 - 1])
def test_one_value_stops_no_tree(value: float) -> None:
    world = begin(pipelines={"frozen": LOGISTIC, "live": LOGISTIC, "tree": TREE}, follow=False)
    turned(world, 100)
    label(world, {"a": value, "b": 0.0, "c": -value}, "yes", "yes", n=3)
    turned(world, 200)
    world.learner.restart()
    assert broken(world) == {"frozen": None, "live": None, "tree": None}


def test_the_largest_value_that_is_learned_stops_no_tree() -> None:
    world = begin(pipelines={"frozen": LOGISTIC, "live": LOGISTIC, "tree": TREE}, follow=False)
    for sign in (1, -1):
        turned(world, 60)
        label(world, {"a": sign * 1e15, "b": 1e15, "c": -sign * 1e15}, "yes", "no", n=5)
    turned(world, 200)
    assert broken(world) == {"frozen": None, "live": None, "tree": None}


def test_a_block_of_no_length_that_an_older_release_took_is_none() -> None:
    from driftline.core.learning.bench import pairs_of
    from driftline_schemas.spec import RECORDED, GateSpec

    assert pairs_of(GateSpec.model_validate({"block": "0s"}, context=RECORDED)).block_ms is None


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"block": "0s"}, "longer than nothing"),
        ({"alpha": 5e-324}, "alpha must be 1e-09 or more"),
        ({"min_pairs": 1}, "2 or more"),
        ({"least_gain": -1e308}, "between -1 and 1"),
        ({"maturity": "9" * 10 + "d"}, "match pattern"),
    ],
)
def test_a_gate_that_cannot_judge_is_refused(parts: dict[str, Any], says: str) -> None:
    from driftline_schemas.spec import GateSpec

    with pytest.raises(ValueError, match=says):
        GateSpec.model_validate(parts)


def test_a_version_that_leaves_twice_is_archived_once() -> None:
    known = {"file": "known.csv", "label": "y"}
    world = begin(
        pipelines={"live": LOGISTIC, "other": LOGISTIC}, warm={"live": known, "other": known},
        train={}, champion="live", follow=False,
    )  # fmt: skip
    turned(world, 40, turn=0)
    for _ in range(3):
        world.ask("promote", {"model": "m", "version": "other/v1"})
        world.ask("rollback", {"model": "m"})
    roster = world.learner.fold.models["m"].roster
    archived = [e.lineage.shelf.newest for e in roster.entrants.values() if e.is_archived]
    assert len({version.version_id for version in archived}) == len(archived) == 2
    refused = [fact.body["why"] for fact in world.book.facts if fact.outcome == "refused"]
    assert not [why for why in refused if "is this version already" in why]
