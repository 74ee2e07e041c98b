"""What learns again begins where the journal says, however the work was cut up."""

from typing import Any

import pytest

from driftline.core.learning.hours import HOUR_MS, HourIndex
from driftline.core.learning.state_hash import state_hash
from driftline_schemas.control import ScheduleBody, ScheduleControl
from driftline_schemas.journal import Joined, Mark
from driftline_schemas.registry import LearningMetric
from tests.unit.core.learning.worlds import refold, said, versions
from tests.world.loop import World, artifact_of
from tests.world.small import KNOWN_FILE, SOFTMAX, lineages, rows, turned
from tests.world.small import world as begin
from tests.world.streams import csv_of


def retrain(world: World, source: Any, pipeline: str = "live", **parts: Any) -> int:
    """Ask for it; the fact's sequence."""
    body = {"model": "m", "pipeline": pipeline, "from": source, **parts}
    return world.ask("retrain", body).seq


def passes_time(world: World, ms: int, records: int = 1) -> None:
    """Other records of the partition come, so much later altogether."""
    for _ in range(records):
        world.now += ms // records
        world.append(Mark(times={0: world.now}))


def last(world: World) -> int:
    return world.learner.journal[-1].offset


def test_a_file_is_learned_at_200_rows_a_second_of_the_log_and_takes_the_place() -> None:
    world = begin()
    turned(world, 100)
    before = world.learner.fold.models["m"].roster.entrants["live"].lineage
    file = artifact_of(csv_of(rows(500, seed=5), "y"), world.store).model_dump(mode="json")
    seq = retrain(world, "new.csv", artifact=file, passes=2)
    name = f"live@{seq}"
    passes_time(world, 4_000, 4)
    assert lineages(world) == ["frozen", "live"]
    passes_time(world, 1_000)
    assert lineages(world) == ["frozen", name]
    (made,) = versions(world, name)
    assert made.version.offsets == (last(world) + 1, last(world))
    assert made.version.time == world.now
    assert made.recipe.origin == {
        "file": file["sha256"], "label": "y", "passes": 2, "fact": seq,
    }  # fmt: skip
    assert before.labels == 90
    assert world.model.versions[made.version.version_id].lineage == name


def test_at_most_a_thousand_rows_are_paid_for_by_one_record() -> None:
    world = begin()
    file = artifact_of(csv_of(rows(600, seed=5), "y"), world.store).model_dump(mode="json")
    retrain(world, "new.csv", artifact=file, passes=2)
    passes_time(world, 3_600_000)
    assert lineages(world) == ["frozen", "live"]
    passes_time(world, 3_600_000)
    assert len(lineages(world)) == 2
    assert lineages(world)[1].startswith("live@")


def test_a_range_of_the_journal_is_learned_as_it_was_recorded() -> None:
    world = begin()
    turned(world, 210)
    first, end = 50, 150
    seq = retrain(world, [first, end], passes=3)
    passes_time(world, 60_000, 12)
    lineage = world.learner.fold.models["m"].roster.entrants[f"live@{seq}"].lineage
    learned = [
        entry.record
        for entry in world.learner.journal[first : end + 1]
        if isinstance(entry.record, Joined)
    ]
    plan = world.learner.fold.models["m"].roster.plans["live"]
    by_hand = plan.build().model
    for _ in range(3):
        for record in learned:
            by_hand.learn_one(plan.schema.canonical(record.features), record.label)
    assert lineage.shelf.newest.manifest.state_hash == state_hash(by_hand)
    assert lineage.recipe.origin == {"journal": [first, end], "passes": 3, "fact": seq}


def test_a_range_ends_before_the_record_that_asks_for_it() -> None:
    world = begin()
    turned(world, 60)
    asked = last(world) + 1
    retrain(world, [0, 10_000])
    (job,) = world.learner.fold.models["m"].jobs.open
    assert job.origin["journal"] == [0, asked - 1]


def test_a_frozen_pipeline_learns_again_in_its_own_order_and_stays_frozen() -> None:
    world = begin()
    file = artifact_of(KNOWN_FILE, world.store).model_dump(mode="json")
    seq = retrain(world, "known.csv", "frozen", artifact=file, passes=2)
    passes_time(world, 10_000, 5)
    # What serves is not superseded; and the same rows in the same order are the same model.
    assert lineages(world) == ["frozen", "live", f"frozen@{seq}"]
    again, serving = versions(world, f"frozen@{seq}")[0], versions(world, "frozen")[0]
    assert again.version.manifest.state_hash == serving.version.manifest.state_hash
    turned(world, 60)
    assert len(versions(world, f"frozen@{seq}")) == 1


def test_a_schedule_learns_the_last_horizon() -> None:
    world = begin()
    turned(world, 120)
    body = ScheduleBody(schedule_id="s", due=world.now, pipeline="live")
    world.append(ScheduleControl(model="m", seq=77, body=body))
    passes_time(world, 10_000, 3)
    assert lineages(world) == ["frozen", "live@77"]


def test_a_new_request_takes_the_place_of_one_that_is_not_done() -> None:
    world = begin()
    turned(world, 60)
    retrain(world, [0, 40])
    seq = retrain(world, [0, 50])
    passes_time(world, 10_000, 3)
    assert lineages(world) == ["frozen", f"live@{seq}"]


def test_another_spec_ends_what_was_learning_again() -> None:
    world = begin()
    turned(world, 60)
    retrain(world, [0, 40])
    world.apply(
        {**world.model.spec.body.spec.model_dump(mode="json", exclude_defaults=True),
         "pipelines": {"frozen": SOFTMAX, "live": SOFTMAX}},
        {"known.csv": KNOWN_FILE},
    )  # fmt: skip
    assert not world.learner.fold.models["m"].jobs.open


@pytest.mark.parametrize(
    ("source", "why"),
    [([900, 901], "has no label"), ("bad.csv", "no column")],
    ids=["an empty range", "a file of other columns"],
)
def test_what_cannot_be_learned_is_given_up_with_a_reason(source: Any, why: str) -> None:
    world = begin()
    turned(world, 60)
    file = artifact_of(b"x,y\n1,yes\n", world.store).model_dump(mode="json")
    parts: dict[str, Any] = {"artifact": file} if isinstance(source, str) else {}
    retrain(world, source, **parts)
    told = [m for m in world.outcomes if isinstance(m, LearningMetric) and m.reason]
    assert why in (told[-1].reason or "")
    assert lineages(world) == ["frozen", "live"]


@pytest.mark.parametrize("every", [1, 9])
def test_restarts_while_it_learns_change_nothing(every: int) -> None:
    world = begin()
    turned(world, 120)
    retrain(world, [0, 100], passes=20)
    for n, (x, y) in enumerate(rows(150, seed=8)):
        world.now += 100
        prediction, version = world.predict(x)
        world.label(x, prediction, version, y, world.now - 50)
        assert n < 150
    _, again = refold(world, every)
    assert said(again) == said(world.outcomes)
    assert any(name.startswith("live@") for name in lineages(world))


def test_work_that_is_done_ahead_changes_nothing() -> None:
    world = begin()
    turned(world, 120)
    retrain(world, [0, 100], passes=20)
    (job,) = world.learner.fold.models["m"].jobs.open
    times = [world.now + 1_000 * n for n in range(1, 6)]
    paid = job.earned_after(times)
    assert paid == 1_000
    assert job.training is not None
    job.training.learn(paid)
    passes_time(world, 20_000, 20)
    _, again = refold(world)
    assert said(again) == said(world.outcomes)


def test_hours_lead_to_the_first_record_of_the_horizon() -> None:
    index = HourIndex(2 * HOUR_MS)
    for hour in range(10):
        index.note(hour * HOUR_MS + 5, hour * 100)
        index.note(hour * HOUR_MS + 9, hour * 100 + 50)
    assert index.since(9 * HOUR_MS + 10) == 700
    assert len(index.firsts) <= 4
    assert HourIndex(HOUR_MS).since(5) == 0
