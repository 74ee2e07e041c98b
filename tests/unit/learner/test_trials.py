"""Versions are tried on a test set before anybody hears of them."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from driftline.core.learning.fixed_set import FixedSet
from driftline.core.learning.outcomes import GateDecided
from driftline.runtime.models.artifacts import ArtifactStore, ArtifactUnavailableError
from tests.unit.learner.test_learner_state import Process, named, url
from tests.world.loop import World
from tests.world.small import KNOWN_FILE, rows, turned
from tests.world.small import spec as small_spec
from tests.world.small import world as begin
from tests.world.streams import csv_of

__all__ = ["url"]

TURNED = csv_of(rows(300, seed=5, turn=1)[1:], "y")  # only the second meaning
FILES = {"known.csv": KNOWN_FILE, "fixed.csv": TURNED}


def played(url: str, floor: float | None, n: int = 400, **parts: Any) -> World:
    """A world that turns around, with the rows after it as the test set; its files are kept."""
    fixed = {"file": "fixed.csv", "label": "y"} | ({} if floor is None else {"floor": floor})
    world = begin(FILES, test_set=fixed, **parts)
    if world.serving() is None:  # the champion fails, and somebody wants it all the same
        world.ask("promote", {"model": "m", "version": "frozen/v1"})
    turned(world, n)
    for payload in world.store.values():
        ArtifactStore.at(url).put(payload)
    return world


def promoted(world: World) -> list[Mapping[str, Any]]:
    gates = [fact for fact in world.book.facts if fact.action == "gate_evaluated"]
    return [fact.body for fact in gates if "deployed" in fact.body]


def test_a_version_has_the_share_of_the_rows_that_it_predicts_right() -> None:
    world = begin(FILES, test_set={"file": "fixed.csv", "label": "y"})
    fixed_set = FixedSet.of(world.learner.fold.models["m"].roster.body)  # type: ignore[arg-type]
    assert fixed_set is not None

    class Sometimes:
        def __init__(self) -> None:
            self.asked = 0

        def learn_one(self, x: dict[str, Any], y: Any) -> None:
            raise AssertionError("a test set is not learned")

        def predict_one(self, x: dict[str, Any]) -> Any:
            self.asked += 1
            if self.asked == 1:
                return None
            if self.asked == 2:
                raise ValueError("no")
            return "yes"

    labels = ["yes", "yes", "yes", "no", "yes"]
    result = fixed_set.result([({"a": 1.0}, label) for label in labels], Sometimes())
    assert result.value == 2 / 5
    assert result.sha256 == fixed_set.need.artifact.sha256


async def test_each_version_is_told_with_its_result_and_is_promoted_once_it_passes(
    url: str,
) -> None:
    world, process = played(url, floor=0.8, n=700), Process(url)
    state = await process.open()
    await process.apply(state, world.learner.journal)
    assert await process.publishing.flush()
    told = [c["body"] for c in process.commands() if c["action"] == "model_updated"]
    assert all(body["test_set"]["floor"] == 0.8 for body in told)
    values = {body["pipeline"]: body["test_set"]["value"] for body in told}
    assert values["frozen"] < 0.5 < 0.8 < values["live"]
    gates = [c["body"] for c in process.commands() if c["action"] == "gate_evaluated"]
    tried = [gate["test_set"]["value"] for gate in gates if gate["verdict"] == "promote"]
    assert tried[0] < 0.8 <= tried[-1]
    assert [body["test_set"]["value"] for body in promoted(world)] == [tried[-1]]
    decided = [f for f in world.book.facts if f.action in ("model_updated", "gate_evaluated")]
    assert named(process.commands()) == [(f.command_id, _as_asked(f.body)) for f in decided]


def _as_asked(body: Mapping[str, Any]) -> dict[str, Any]:
    """What was asked for: a fact says besides what followed."""
    follows = ("name", "number", "deployed", "artifact", "why")
    return {name: value for name, value in body.items() if name not in follows}


def test_what_the_challenger_knows_is_not_promoted_below_the_floor(url: str) -> None:
    assert promoted(played(url, floor=None))
    world = played(url, floor=0.999)
    assert not promoted(world)
    refused = [f for f in world.book.facts if f.outcome == "refused"]
    assert refused
    assert all("below the floor 0.999" in f.body["why"] for f in refused)


async def test_of_several_proven_ones_the_first_that_passes_is_promoted(url: str) -> None:
    world = played(url, floor=0.8, n=700)
    process = Process(url)
    decided = next(
        o for o in world.outcomes if isinstance(o, GateDecided) and o.gate.verdict == "promote"
    )
    entrants = world.learner.fold.models["m"].roster.entrants
    passing, failing = [
        decided.judged._replace(
            gate=decided.gate.model_copy(update={"challenger": name}),
            version=entrants[name].lineage.shelf.newest,
            payload=entrants[name].lineage.payload(entrants[name].lineage.shelf.newest),
        )
        for name in ("live", "frozen")
    ]
    promoted = process.learners.trials.promoted
    for judged, others, told in (
        (failing, [passing], "live"),
        (passing, [failing], "live"),
        (failing, [], "frozen"),
    ):
        command = await promoted(replace(decided, judged=judged, others=others))
        assert command.body["challenger"] == told
        assert (command.body["test_set"]["value"] >= 0.8) == (told == "live")
    assert command.command_id != (await promoted(decided)).command_id


async def test_a_test_set_that_cannot_be_read_leaves_versions_untried(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    world = played(url, floor=0.5, n=150)
    body = world.learner.fold.models["m"].roster.body
    assert body is not None
    fixed_set = FixedSet.of(body)
    assert fixed_set is not None
    digest = fixed_set.need.artifact.sha256
    (Path(url) / digest[:2] / digest).write_bytes(b"other rows")
    process = Process(url)
    await process.apply(await process.open(), world.learner.journal)
    assert await process.publishing.flush()
    told = [c["body"] for c in process.commands() if c["action"] == "model_updated"]
    assert told
    assert all("test_set" not in body for body in told)


async def test_while_the_artifact_store_is_away_versions_wait(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = played(url, floor=0.5, n=60)
    process = Process(url)
    trials, away = process.learners.trials, [True, True, False]
    read = ArtifactStore.get

    def flaky(store: ArtifactStore, artifact: Any) -> bytes:
        if away and away.pop(0):
            raise ArtifactUnavailableError("the store is away")
        return read(store, artifact)

    monkeypatch.setattr("driftline.learner.trials.RETRY_SECONDS", 0.0)
    body = world.learner.fold.models["m"].roster.body
    assert body is not None
    fixed_set = FixedSet.of(body)
    assert fixed_set is not None
    entrant = world.learner.fold.models["m"].roster.entrants["live"]
    version = entrant.lineage.shelf.newest
    monkeypatch.setattr(ArtifactStore, "get", flaky)
    result = await trials.result(fixed_set, entrant.lineage.payload(version), version.manifest)
    assert result is not None
    assert away == []


def test_without_a_test_set_nothing_is_tried() -> None:
    world = begin()
    turned(world, 300)
    assert all(
        outcome.fixed_set is None and not outcome.others
        for outcome in world.outcomes
        if isinstance(outcome, GateDecided)
    )
    assert small_spec().get("test_set") is None
