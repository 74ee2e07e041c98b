"""The fold of a model is the same wherever it was interrupted."""

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.core.learning.fold import LearningFold, Upcoming
from driftline.core.learning.outcomes import Outcome
from tests.unit.core.learning.worlds import joined, refold, said
from tests.world.loop import Learner, World
from tests.world.small import rows, turned
from tests.world.small import world as begin


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
