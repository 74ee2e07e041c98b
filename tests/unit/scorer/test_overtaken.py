"""Does a newer version serve, however fast others follow, and never one that was taken back?"""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from driftline.scorer import swapping
from tests.unit.scorer.rig import Rig


class Gate:
    """Holds every load up until `let` lets one through."""

    def __init__(self, rig: Rig) -> None:
        self._open = threading.Semaphore(0)
        self.begun = 0
        rig.loader.before = self._pass

    def _pass(self) -> None:
        self.begun += 1
        assert self._open.acquire(timeout=10)

    def let(self, loads: int = 1) -> None:
        self._open.release(loads)


async def until(true: Callable[[], Any]) -> None:
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 - a thread makes it so
            await asyncio.sleep(0.001)


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
        await until(lambda: gate.begun)
    gate.let()
    await until(lambda: gate.begun == 2)
    assert served(rig) == "sm/v2"
    assert rig.swapping.seqs == {"churn": 2}
    gate.let()
    await rig.settle()
    assert served(rig) == "sm/v4"
    assert rig.loader.loaded == ["churn/sm/v2", "churn/sm/v4"]
    assert rig.swapping.seqs == {"churn": 4}


async def test_a_scorer_that_starts_among_fast_versions_is_ready_with_the_first_it_has() -> None:
    rig = Rig()
    gate = Gate(rig)
    rig.trainer.version("sm")
    await _applied(rig)
    await until(lambda: gate.begun)
    deploy(rig, 2)
    assert rig.swapping.not_ready() == "1 models are being loaded"
    gate.let()
    await until(lambda: gate.begun == 2)
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
    await until(lambda: gate.begun)
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
    await until(lambda: gate.begun)
    rig.book.accepted("rollback", {"model": "churn"})
    rig.tell()
    assert served(rig) == "lr/v1"  # at once
    changes = rig.changes
    gate.let()
    await rig.settle()
    assert (served(rig), rig.changes) == ("lr/v1", changes)


async def test_loads_that_never_end_are_refused_and_keep_their_places(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(swapping, "LOAD_SECONDS", 0.02)
    rig = Rig()
    await rig.begin()
    gate = Gate(rig)
    standing = rig.swapping.models["churn"]
    for number in (2, 3):
        deploy(rig, number)
        await until(lambda: standing.is_settled)
        assert standing.refused == f"churn/sm/v{number} was not loaded within 0.02 s"
    deploy(rig, 4)
    await asyncio.sleep(0.1)
    assert (gate.begun, served(rig)) == (swapping.MOST_LOADING, "sm/v1")
    monkeypatch.setattr(swapping, "LOAD_SECONDS", 10.0)
    gate.let(3)
    await rig.settle()
    assert served(rig) == "sm/v4"
