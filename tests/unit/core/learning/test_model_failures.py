"""A pipeline or lineage that fails says why and stops alone."""

from math import isfinite
from typing import Any

import orjson
import pytest

from driftline_schemas.codec import encode
from driftline_schemas.registry import LearningMetric
from tests.unit.core.learning.examples import made as part
from tests.unit.core.learning.examples import scaled
from tests.unit.core.learning.worlds import metrics_of, refold, said
from tests.world.loop import World
from tests.world.small import KNOWN_FILE, LOGISTIC, lineages, rows, turned
from tests.world.small import world as begin
from tests.world.streams import play


@pytest.mark.parametrize(
    ("parts", "files", "why"),
    [
        (
            {"pipelines": {"frozen": LOGISTIC, "live": [part("no.Such")]}},
            None,
            "none of the classes",
        ),
        ({"warm": {"live": {"file": "known.csv", "label": "z"}}}, None, "no column 'z'"),
        (
            {"warm": {"live": {"file": "bad.csv", "label": "y"}}},
            {"known.csv": KNOWN_FILE, "bad.csv": b"a,b,c,y\n"},
            "no row of the file has a label",
        ),
    ],
    ids=["a class that is not known", "no such column", "no rows"],
)
def test_a_pipeline_that_cannot_begin_says_why_and_the_others_go_on(
    parts: dict[str, Any], files: dict[str, bytes] | None, why: str
) -> None:
    world = begin(files, **parts)
    turned(world, 100)
    assert lineages(world) == ["frozen"]
    told = [metric for metric in metrics_of(world) if metric.pipeline == "live"]
    assert told
    assert why in (told[0].reason or "")
    assert len([m for m in metrics_of(world) if m.pipeline == "frozen"]) == 3
    _, again = refold(world, every=13)
    assert said(again) == said(world.outcomes)


def test_a_lineage_that_raises_stops_alone_and_its_versions_are_judged_on() -> None:
    world = begin()
    lineage = world.learner.fold.models["m"].roster.entrants["live"].lineage

    class Failing:
        def learn_one(self, x: Any, y: Any) -> None:
            raise OverflowError("math range error")

        def predict_one(self, x: Any) -> None:
            return None

    lineage.model = Failing()
    turned(world, 120)
    told = [metric for metric in metrics_of(world) if metric.pipeline == "live"]
    assert all("math range error" in (metric.reason or "") for metric in told)
    assert told[-1].metrics["as_of_accuracy"] > 0.8
    assert world.learner.fold.broken() == 1


def test_a_regression_that_diverges_is_never_promoted_and_its_figures_stay_finite() -> None:
    world = World()
    linear = scaled("linear_model.LinearRegression", optimizer=part("optim.SGD", lr=50.0))
    names = ("a", "b", "c")
    world.apply(
        {
            "model": "m", "task": "regression",
            "features": [{"name": name, "kind": "numeric"} for name in names],
            "pipelines": {"tree": [part("tree.HoeffdingTreeRegressor")], "wild": linear},
            "champion": "tree", "version_every": 20, "follow": True,
            "gate": {"least_gain": 0.01, "min_pairs": 100},
        }
    )  # fmt: skip
    stream = [(x, 100 * float(x["a"]) + 5) for x, _ in rows(800)]
    play(world, stream, first=0, late=lambda row: 10)
    assert world.model.deployed.body.lineage == "tree"
    raw = [orjson.loads(encode(m)) for m in world.outcomes if isinstance(m, LearningMetric)]
    assert all(n is not None and isfinite(n) for m in raw for n in m["metrics"].values())
    wild = [m for m in metrics_of(world) if m.pipeline == "wild"]
    assert wild[-1].metrics["as_of_unusable"] > 0
    _, again = refold(world, every=50)
    assert said(again) == said(world.outcomes)


def test_a_model_that_cannot_be_kept_stops_and_the_rest_is_kept() -> None:
    world = begin()
    turned(world, 35)
    lineage = world.learner.fold.models["m"].roster.entrants["live"].lineage
    lineage.model.model.unwritable = lambda: None  # type: ignore[attr-defined]
    world.learner.restart()
    kept = world.learner.fold.models["m"].roster.entrants["live"].lineage
    assert "cannot be written" in (kept.broken or "")
    turned(world, 60)
    assert world.learner.fold.models["m"].roster.entrants["frozen"].lineage.broken is None
