"""What serves where the deployed version cannot, and nothing else is in memory?"""

import httpx
import pytest

from driftline.runtime import health
from driftline.runtime.health import Health
from driftline.scorer import swapping
from tests.unit.scorer.rig import Rig
from tests.waiting import eventually


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(swapping, "FIRST_WAIT_SECONDS", 0.001)
    monkeypatch.setattr(swapping, "LAST_WAIT_SECONDS", 0.002)


def restarted(rig: Rig) -> Rig:
    """Another process over the same registry and store."""
    again = Rig(book=rig.book, spec=rig.spec)
    again.loader.inner = rig.loader.inner
    return again


async def test_a_restarted_scorer_serves_what_came_before_bytes_that_are_gone() -> None:
    rig = Rig()
    await rig.begin()
    await rig.promote("lr/v1")
    (lr,) = [each for each in rig.book.state.models["churn"].versions.values()
             if each.recipe.pipeline == "lr"]  # fmt: skip
    payload = rig.store.get(lr.recipe.artifact)
    rig.store.remove(lr.recipe.artifact.sha256)
    again = restarted(rig)
    again.tell()
    await eventually(lambda: not again.swapping.not_ready() and again.swapping.versions)
    assert await again.serving() == "churn/sm/v1"
    assert again.swapping.seqs == {"churn": 2}
    assert (again.swapping.warning or "").startswith(
        "churn is served by churn/sm/v1, for what is deployed is refused: artifact "
    )
    (told,) = (await again.ask("GET", "/v1/models")).json()
    assert told["wanted"] != told["served"]
    assert "is gone" in told["refused"]
    rig.store.put(payload)
    await again.settle()
    assert await again.serving() == "churn/lr/v1"
    assert again.swapping.warning is None


async def test_a_restarted_scorer_serves_what_came_before_a_version_that_is_refused() -> None:
    rig = Rig()
    await rig.begin()
    rig.book.accepted("model_updated", rig.trainer.version("lr", 2, labels=0))
    await rig.promote("lr/v2")
    again = restarted(rig)
    await again.feed()
    assert await again.serving() == "churn/sm/v1"
    assert "has no class for these features" in (again.swapping.warning or "")
    assert again.loader.loaded == ["churn/lr/v2", "churn/sm/v1"]
    await again.rollback()
    assert await again.serving() == "churn/sm/v1"
    assert again.swapping.warning is None


async def test_damage_is_the_first_thing_to_be_warned_of() -> None:
    rig = Rig()
    await rig.begin()
    assert rig.swapping.warning is None
    rig.swapping.damage = "the registry is damaged: fact 2 was changed"
    assert rig.swapping.warning == "the registry is damaged: fact 2 was changed"


async def test_who_asks_whether_it_is_ready_is_told_the_warning() -> None:
    state = Health(not_ready=None, warning="churn is served by churn/sm/v1")
    runner = await health.serve(state, lambda: None, "127.0.0.1", 0)
    try:
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(f"http://127.0.0.1:{state.port}/readyz")
            assert (answer.status_code, answer.text) == (
                200, "ready: churn is served by churn/sm/v1\n",
            )  # fmt: skip
    finally:
        await runner.cleanup()
