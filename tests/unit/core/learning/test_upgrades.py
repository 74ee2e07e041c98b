"""After an upgrade, no recipe names code or an environment that did not make the version."""

from dataclasses import replace
from itertools import pairwise

from tests.unit.core.learning.worlds import refold, said, versions
from tests.world.loop import World
from tests.world.small import turned
from tests.world.small import world as begin

NEW = {"python": "3.14", "river": "same"}


def upgraded() -> World:
    """A world whose learner is restarted by another release between two versions."""
    world = begin()
    turned(world, 215)
    learner = world.learner
    learner.policy = replace(learner.policy, code="driftline 9.9", environment=NEW)
    learner.restart()
    learner.restart()  # nothing was learned meanwhile: the same
    turned(world, 200)
    learner.restart()
    turned(world, 60)
    return world


def test_what_was_learned_is_a_version_of_the_former_recipe_and_the_next_goes_on_from_it() -> None:
    world = upgraded()
    live = versions(world, "live")
    former = [made for made in live if made.recipe.code != "driftline 9.9"]
    newer = live[len(former) :]
    last = former[-1].version
    assert newer
    assert {made.recipe.code for made in newer} == {"driftline 9.9"}
    assert all(made.recipe.environment == NEW for made in newer)
    assert all(made.recipe.origin == {"version": last.version_id} for made in newer)
    assert {made.version.offsets[0] for made in newer} == {last.offsets[1] + 1}
    assert last.labels == 205  # all that it had learned, though 200 were a version
    for before, after in pairwise(live):
        assert after.parent == before.version.version_id
    facts = [f for f in world.book.facts if f.action == "model_updated"]
    assert all(fact.outcome == "accepted" for fact in facts)


def test_the_same_code_in_the_same_environment_changes_nothing() -> None:
    world = begin()
    turned(world, 210)
    _, straight = refold(world)
    _, restarted = refold(world, every=30)
    assert said(straight) == said(restarted)
