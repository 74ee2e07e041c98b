"""Which lineages go on, begin anew or end where a specification or another control comes?"""

from driftline_schemas.control import DeployedBody, DeployedControl
from driftline_schemas.journal import Joined
from tests.unit.core.learning.worlds import versions
from tests.world.small import KNOWN, KNOWN_FILE, LOGISTIC, SOFTMAX, lineages, rows, spec, turned
from tests.world.small import world as begin
from tests.world.streams import csv_of


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
