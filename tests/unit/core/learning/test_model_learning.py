"""A model's learning as a fold: versions, verdicts, deployments, specifications, what fails."""

from functools import cache
from hashlib import sha256
from itertools import pairwise
from math import isfinite
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.core.learning.fold import LearningFold, Upcoming
from driftline.core.learning.outcomes import GateDecided, Outcome, VersionMade
from driftline_schemas.codec import encode
from driftline_schemas.control import DeployedBody, DeployedControl, SpecBody, SpecControl
from driftline_schemas.journal import Joined
from driftline_schemas.registry import LearningMetric
from tests.unit.core.learning.examples import made as part
from tests.unit.core.learning.examples import scaled
from tests.world.loop import Learner, World
from tests.world.small import KNOWN, KNOWN_FILE, LOGISTIC, SOFTMAX, lineages, rows, spec, turned
from tests.world.small import world as begin
from tests.world.streams import csv_of, play


def said(outcomes: list[Outcome]) -> list[object]:
    """What others hear, but for bytes: the same state may be written in several ways."""
    heard: list[object] = []
    for out in outcomes:
        if isinstance(out, VersionMade):
            hashed = out.version.manifest.state_hash
            heard.append((out.lineage, out.parent, out.version.version_id, hashed, out.figures))
        elif isinstance(out, GateDecided):
            heard.append(out.command)
        else:
            heard.append(out)
    return heard


def versions(world: World, lineage: str) -> list[VersionMade]:
    found = [out for out in world.outcomes if isinstance(out, VersionMade)]
    return [out for out in found if out.lineage == lineage]


def metrics_of(world: World, kind: str = "metric") -> list[LearningMetric]:
    found = [out for out in world.outcomes if isinstance(out, LearningMetric)]
    return [out for out in found if out.kind == kind]


def refold(world: World, every: int | None = None) -> tuple[Learner, list[Outcome]]:
    """The journal of a world folded again, and restarted after so many records."""
    learner, outcomes = Learner(world.store), list[Outcome]()
    for entry in world.learner.journal:
        outcomes += learner.take(entry)
        if every is not None and entry.offset % every == 0:
            learner.restart()
    return learner, outcomes


def test_the_spec_registers_its_pipelines_and_the_champion_serves() -> None:
    world = begin()
    assert lineages(world) == ["frozen", "live"]
    assert [len(versions(world, name)) for name in ("frozen", "live")] == [1, 1]
    frozen, live = versions(world, "frozen")[0], versions(world, "live")[0]
    assert (frozen.parent, frozen.version.number, frozen.version.offsets) == (None, 0, (1, 0))
    known = sha256(KNOWN_FILE).hexdigest()
    assert frozen.recipe.origin == {"file": known, "label": "y", "passes": 2, "seed": 3}
    assert live.recipe.origin == {"file": known, "label": "y", "passes": 1}
    assert world.model.deployed.body.lineage == "frozen"


def test_a_proven_challenger_takes_over_and_its_newer_versions_follow() -> None:
    world = begin()
    played = turned(world)
    assert [what.partition(" on ")[0] for _, what in played.happened][:2] == [
        "opened",
        "live promoted",
    ]
    assert world.model.deployed.body.lineage == "live"
    newest = versions(world, "live")[-1].version.version_id
    assert world.model.deployed.body.version_id == newest
    assert lineages(world) == ["frozen", "live"]  # a frozen one stays as it is
    assert "frozen" in world.learner.fold.models["m"].bench.contest.challengers  # type: ignore[union-attr]


def test_what_is_registered_names_its_parent_and_its_lineage() -> None:
    world = begin()
    turned(world, 300)
    made = versions(world, "live")
    assert [out.parent for out in made[1:]] == [out.version.version_id for out in made[:-1]]
    registered = world.model.versions
    assert {registered[out.version.version_id].lineage for out in made} == {"live"}
    assert [f.outcome for f in world.book.facts] == ["accepted"] * len(world.book.facts)


def test_a_learning_champion_that_leaves_is_archived_and_at_most_two_are_kept() -> None:
    world = begin(champion="live", pipelines={"live": LOGISTIC, "other": SOFTMAX}, train={})
    play(world, rows(100), first=0, late=lambda row: 5)
    assert world.model.deployed.body.lineage == "live"
    for number in range(4):
        to = "other" if number % 2 == 0 else "live"
        newest = versions(world, to)[-1].version.version_id
        leaving = world.serving()
        seq = world.model.deployment_seq + 1
        world.ask("promote", {"model": "m", "version": newest})
        fork = f"{'live' if to == 'other' else 'other'}/archived-{seq}"
        (made,) = versions(world, fork)
        assert made.parent == leaving
        assert made.recipe.origin == {"version": leaving}
        kept = world.model.versions[leaving]
        assert world.model.versions[made.version.version_id].recipe.state_hash == (
            kept.recipe.state_hash
        )
        play(world, rows(40, seed=number), first=0, late=lambda row: 5)
    archived = [name for name in lineages(world) if "/" in name]
    assert [name.partition("/")[0] for name in archived] == ["live", "other"]
    assert len(archived) == 2
    judged = {metric.pipeline for metric in metrics_of(world) if "/" in metric.pipeline}
    assert judged >= set(archived)
    _, again = refold(world, every=11)
    assert said(again) == said(world.outcomes)


def test_verdicts_go_to_the_registry_when_they_are_new_and_seldom_again() -> None:
    world = begin(follow=False)
    world.ask("hold", {"model": "m", "lineage": "live"})
    turned(world, 1_500)
    promotions = [
        out
        for out in world.outcomes
        if isinstance(out, GateDecided) and out.gate.verdict == "promote"
    ]
    offsets = [out.offset for out in promotions]
    assert 2 <= len(offsets) <= 4
    assert min(b - a for a, b in pairwise(offsets)) >= 25
    assert world.model.deployed.body.lineage == "frozen"
    undecided = metrics_of(world, "gate")
    assert {m.verdict for m in undecided} <= {"continue", "no_data"}
    assert all(isfinite(n) for metric in world.outcomes if isinstance(metric, LearningMetric)
               for n in metric.metrics.values())  # fmt: skip


def test_a_model_served_outside_is_judged_and_never_promoted() -> None:
    world = World()
    world.apply(
        spec(champion=None, pipelines={"live": LOGISTIC}, train={}), {"known.csv": KNOWN_FILE}
    )
    for number, (x, y) in enumerate(rows(600, turn=1)):
        world.now += 25
        version = "xgb-1" if number < 300 else "xgb-2"
        world.label(x, "no" if y == "yes" else "yes", version, y, world.now - 10)
    assert not [out for out in world.outcomes if isinstance(out, GateDecided)]
    assert "promote" in {metric.verdict for metric in metrics_of(world, "gate")}
    assert world.model.deployed is None


def test_predictions_before_the_champion_is_deployed_do_not_count() -> None:
    learner = Learner({})
    body = SpecBody.model_validate(
        {"spec_hash": "a" * 16, "spec": spec(train={}, warm={}, champion="frozen")}
    )
    learner.take(Upcoming(0, 1_000, SpecControl(model="m", seq=1, body=body)))
    for n, (x, y) in enumerate(rows(60)):
        learner.take(Upcoming(n + 1, 2_000 + n, joined(n, x, "no", y, 1_900 + n)))
    contest = learner.fold.models["m"].bench.contest  # type: ignore[union-attr]
    assert [contest._evaluate(name).judgement.gains.n for name in contest.challengers] == [0, 0]


def joined(
    n: int, x: Any, prediction: Any, label: Any, asked_at: int, version: str = "v"
) -> Joined:
    return Joined(
        model="m", prediction_id=f"p{n}", model_version=version, predicted_at=asked_at,
        prediction_ts=asked_at, prediction_tp=(0, n), label_ts=asked_at + 50, label_tp=(0, n),
        features=dict(x), prediction=prediction, label=label,
    )  # fmt: skip


# Specifications.


def test_a_pipeline_that_another_spec_leaves_alone_goes_on_and_a_changed_one_begins_anew() -> None:
    world = begin()
    turned(world, 100)
    labels = world.learner.fold.models["m"].roster.entrants["live"].lineage.labels
    pipelines = {"frozen": LOGISTIC, "live": LOGISTIC, "new": SOFTMAX}
    world.apply(spec(pipelines=pipelines), {"known.csv": KNOWN_FILE})
    assert lineages(world) == ["frozen", "live", "new"]
    live = world.learner.fold.models["m"].roster.entrants["live"].lineage
    assert live.labels == labels
    assert live.recipe.spec_hash == versions(world, "live")[0].recipe.spec_hash
    assert versions(world, "live")[-1].version.labels == labels  # cut at the control record
    fact = world.apply(
        spec(pipelines={"frozen": LOGISTIC, "live": SOFTMAX}), {"known.csv": KNOWN_FILE}
    )
    assert lineages(world) == ["frozen", f"live@{fact.seq}"]


def test_a_new_pipeline_may_be_the_twin_of_one_that_goes_on() -> None:
    world = begin()
    world.learner.materials.clear()
    world.apply(
        spec(pipelines={"frozen": LOGISTIC, "live": LOGISTIC, "twin": LOGISTIC},
             warm={"live": KNOWN, "twin": KNOWN}),
        {"known.csv": KNOWN_FILE},
    )  # fmt: skip
    assert lineages(world) == ["frozen", "live", "twin"]


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


def test_another_file_makes_another_pipeline() -> None:
    world = begin()
    fact = world.apply(spec(version_every=30), {"known.csv": csv_of(rows(150, seed=4), "y")})
    assert lineages(world) == [f"frozen@{fact.seq}", f"live@{fact.seq}"]


def test_controls_that_are_told_again_or_late_change_nothing() -> None:
    world = begin()
    turned(world, 300)
    controls = [e.record for e in world.learner.journal if not isinstance(e.record, Joined | None)]
    before = len(world.outcomes)
    state = world.learner.fold.snapshots(0)
    for record in controls:
        assert record is not None
        world.append(record)
    assert len(world.outcomes) == before
    after = world.learner.fold.snapshots(0)
    for (one, _), (other, _) in zip(state, after, strict=True):
        changed = {key for key in one if one[key] != other[key]}
        assert changed <= {"next", "seen"}


def test_a_deployment_of_a_version_that_nobody_here_made_is_heard() -> None:
    world = begin()
    body = DeployedBody(deployment_seq=9, version_id="elsewhere", lineage="other")
    world.append(DeployedControl(model="m", seq=99, body=body))
    contest = world.learner.fold.models["m"].bench.contest  # type: ignore[union-attr]
    assert contest.counts("elsewhere")
    assert set(contest.challengers) == {"frozen", "live"}


# What is dropped.


def test_a_joined_record_that_was_written_twice_counts_once() -> None:
    world = begin()
    for number, (x, y) in enumerate(rows(60)):
        world.now += 25
        prediction, version = world.predict(x)
        record = joined(number, x, prediction, y, world.now, version)
        world.append(record)
        if number % 3 == 0:
            world.append(record)
    model = world.learner.fold.models["m"]
    assert model.labels == 60
    assert model.roster.entrants["live"].lineage.labels == 60


def test_a_number_where_a_class_belongs_is_neither_scored_nor_learned() -> None:
    world = begin()
    (x, _), *_ = rows(1)
    world.append(joined(1, x, "yes", 1.0, world.now))
    world.append(joined(2, x, 0.0, "yes", world.now))
    model = world.learner.fold.models["m"]
    assert (model.labels, model.conflicts) == (0, 2)
    assert model.roster.entrants["live"].lineage.labels == 0


# What fails.


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


# Laws.


@pytest.mark.parametrize("every", [1, 7, 60])
def test_restarts_anywhere_change_nothing(every: int) -> None:
    world = begin()
    turned(world, 250 if every == 1 else 600)
    _, again = refold(world, every)
    assert said(again) == said(world.outcomes)


def test_each_model_ignores_what_it_holds_already() -> None:
    world = begin()
    turned(world, 300)
    half = len(world.learner.journal) // 2
    first = Learner(world.store)
    for entry in world.learner.journal[:half]:
        first.take(entry)
    states, artifacts = zip(*first.fold.snapshots(half), strict=True)
    fold = LearningFold.restore(
        first.around, first.fold.time, states, {k: v for a in artifacts for k, v in a.items()}
    )
    first.fold = fold
    outcomes = [out for entry in world.learner.journal for out in first.take(entry)]
    whole = said(world.outcomes)
    assert said(outcomes) == whole[len(whole) - len(outcomes) :]
    assert 0 < len(outcomes) < len(whole)


def test_models_that_only_pass_by_are_forgotten() -> None:
    learner = Learner({})
    (x, y), *_ = rows(1)
    learner.take(Upcoming(0, 0, joined(0, x, y, y, 0)))
    assert list(learner.fold.models) == ["m"]
    learner.take(Upcoming(1, 3 * 3_600_000, None))
    assert not learner.fold.models


@cache
def played() -> World:
    world = begin()
    turned(world, 300)
    return world


@settings(max_examples=8, deadline=None)
@given(st.sets(st.integers(0, 300), max_size=6))
def test_restarts_at_any_points_change_nothing(points: set[int]) -> None:
    world = played()
    learner, outcomes = Learner(world.store), list[Outcome]()
    for entry in world.learner.journal:
        if entry.offset in points:
            learner.restart()
        outcomes += learner.take(entry)
    assert said(outcomes) == said(world.outcomes)


def test_a_version_says_which_spec_was_in_force_if_it_is_not_that_of_its_recipe() -> None:
    world = begin()
    turned(world, 60)
    world.apply(spec(alarm_budget=0.01), {"known.csv": KNOWN_FILE})
    turned(world, 60)
    made = [world.model.versions[v.version.version_id] for v in versions(world, "live")]
    told = [version.recipe.spec_in_force for version in made]
    now = world.model.spec.body.spec_hash
    assert told[0] is None
    assert told[-1] == now
    assert {version.recipe.spec_hash for version in made} == {made[0].recipe.spec_hash} != {now}
