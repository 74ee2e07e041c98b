"""Does a newer version serve, however fast others follow, and never one that was taken back?"""

import threading
from typing import Any

import pytest
from river import ensemble, linear_model

from driftline.core.learning.binary import OnlineModel
from driftline.runtime.models.loader import load
from driftline.runtime.models.pickling import dump
from driftline.scorer import swapping, threads
from tests.unit.scorer.rig import Rig
from tests.waiting import PATIENCE_SECONDS, eventually


class Gate:
    """Holds every load up until `let` lets one through."""

    def __init__(self, rig: Rig) -> None:
        self._open = threading.Semaphore(0)
        self.begun = 0
        rig.loader.before = self._pass

    def _pass(self) -> None:
        self.begun += 1
        assert self._open.acquire(timeout=PATIENCE_SECONDS)

    def let(self, loads: int = 1) -> None:
        self._open.release(loads)


def deploy(rig: Rig, number: int) -> None:
    """A version of `sm`, registered and promoted; nobody waits for the scorer."""
    rig.book.accepted("model_updated", rig.trainer.version("sm", number))
    rig.book.accepted("promote", {"model": "churn", "version": f"sm/v{number}"})
    rig.tell()


def served(rig: Rig) -> str:
    standing = rig.swapping.models["churn"]
    return standing.served.version.name.removeprefix("churn/") if standing.served else "nothing"


async def test_where_versions_come_faster_than_one_loads_each_load_serves_and_then_the_newest() -> (
    None
):
    rig = Rig()
    await rig.begin()
    gate = Gate(rig)
    rig.loader.loaded.clear()
    for number in (2, 3, 4):
        deploy(rig, number)
        await eventually(lambda: gate.begun)
    gate.let()
    await eventually(lambda: gate.begun == 2)
    assert served(rig) == "sm/v2"
    assert rig.swapping.seqs == {"churn": 2}
    gate.let(2)
    await rig.settle()
    assert served(rig) == "sm/v4"
    assert rig.loader.loaded == ["churn/sm/v2", "churn/sm/v4", "churn/sm/v3"]  # the way back last
    assert rig.swapping.seqs == {"churn": 4}


async def test_a_scorer_that_starts_among_fast_versions_is_ready_with_the_first_it_has() -> None:
    rig = Rig()
    gate = Gate(rig)
    rig.trainer.version("sm")
    await _applied(rig)
    await eventually(lambda: gate.begun)
    deploy(rig, 2)
    assert rig.swapping.not_ready() == "1 models are being loaded"
    gate.let()
    await eventually(lambda: gate.begun == 2)
    assert rig.swapping.not_ready() is None
    assert served(rig) == "sm/v1"
    gate.let(2)
    await rig.settle()


async def _applied(rig: Rig) -> None:
    """As `begin`, waiting for nothing."""
    settle, rig.settle = rig.settle, _at_once  # type: ignore[method-assign]  # for this once
    await rig.begin()
    rig.settle = settle  # type: ignore[method-assign]


async def _at_once() -> None:
    return


async def test_a_version_that_is_taken_back_while_it_loads_never_serves() -> None:
    rig = Rig(warm=1)
    await rig.begin()
    for number in (2, 3):
        deploy(rig, number)
        await rig.settle()
    seen = []
    rig.swapping.changed = lambda: seen.append(served(rig))
    gate = Gate(rig)
    deploy(rig, 4)
    await eventually(lambda: gate.begun)
    rig.book.accepted("rollback", {"model": "churn", "to": "sm/v1"})  # it is not warm any more
    rig.tell()
    gate.let(2)
    await rig.settle()
    assert (seen, rig.loader.loaded[-2:]) == (["sm/v1"], ["churn/sm/v4", "churn/sm/v1"])


async def test_a_load_that_ends_after_a_rollback_to_a_warm_version_changes_nothing() -> None:
    rig = Rig()
    await rig.begin()
    await rig.promote("lr/v1")
    gate = Gate(rig)
    deploy(rig, 2)
    await eventually(lambda: gate.begun)
    rig.book.accepted("rollback", {"model": "churn"})
    rig.tell()
    assert served(rig) == "lr/v1"  # at once
    changes = rig.changes
    gate.let()
    await rig.settle()
    assert (served(rig), rig.changes) == ("lr/v1", changes)


def doubling(levels: int) -> OnlineModel:
    """Each level asks the one below it twice: it loads as any other, and takes 2**levels steps."""
    model: Any = linear_model.LogisticRegression()
    for _ in range(levels):
        level = ensemble.BaggingClassifier(linear_model.LogisticRegression(), 2, seed=1)
        level.data = [model, model]
        model = level
    return load(*dump(model))


async def test_versions_that_compute_without_end_are_refused_and_hold_up_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig = Rig()
    await rig.begin()
    standing = rig.swapping.models["churn"]
    before, model = threading.active_count(), doubling(40)
    rig.loader.before = lambda: model.predict_one({"age": 1.0})
    with monkeypatch.context() as patch:
        patch.setattr(swapping, "LOAD_SECONDS", 0.02)
        for number in range(2, 2 + 2 * swapping.MOST_LOADING):
            deploy(rig, number)
            await rig.settle()
            assert standing.refused == f"churn/sm/v{number} was not loaded within 0.02 s"
    await eventually(lambda: threading.active_count() <= before)
    rig.loader.before = lambda: None
    deploy(rig, 2 + 2 * swapping.MOST_LOADING)
    await rig.settle()
    assert served(rig) == "sm/v6"


async def test_a_store_that_does_not_answer_holds_up_no_other_load_and_is_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig = Rig()
    await rig.begin()
    monkeypatch.setattr(threads, "STOP_SECONDS", 0.02)
    monkeypatch.setattr(swapping, "LOAD_SECONDS", 0.02)
    gate = Gate(rig)
    deploy(rig, 2)
    await eventually(lambda: gate.begun > swapping.MOST_LOADING)
    assert served(rig) == "sm/v1"
    rig.loader.before = lambda: None
    monkeypatch.setattr(swapping, "LOAD_SECONDS", PATIENCE_SECONDS)
    await rig.settle()
    assert served(rig) == "sm/v2"
    gate.let(gate.begun)
