"""A model's learning as a fold: versions, verdicts, deployments, what is not counted."""

from hashlib import sha256
from itertools import pairwise
from math import isfinite

from driftline.core.learning.fold import Upcoming
from driftline.core.learning.outcomes import GateDecided
from driftline_schemas.control import SpecBody, SpecControl
from driftline_schemas.registry import LearningMetric
from tests.unit.core.learning.worlds import joined, metrics_of, refold, said, versions
from tests.world.loop import Learner, World
from tests.world.small import KNOWN_FILE, LOGISTIC, SOFTMAX, lineages, rows, spec, turned
from tests.world.small import world as begin
from tests.world.streams import play


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
    reasons = {f.body["version_id"]: f.reason for f in world.book.facts if "offsets" in f.body}
    assert [reasons[out.version.version_id] for out in made[:2]] == [
        "live has learned no labels",
        f"live has learned {made[1].version.labels} labels",
    ]
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
