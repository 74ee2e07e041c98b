"""Does what is deployed serve, and does nobody notice the change?"""

import asyncio
import pickle
from collections.abc import Iterator, Sized
from itertools import count
from typing import Any

import httpx
import pytest

from driftline.core.fact_chain import BrokenChainError
from driftline.runtime.models.artifacts import ArtifactError
from driftline.scorer import swapping
from driftline_schemas.registry import Artifact
from loadtests.versions import wire_spec
from tests.unit.scorer.rig import Rig
from tests.waiting import PATIENCE_SECONDS, eventually


class Evil:
    """Its pickle would run a command."""

    def __reduce__(self) -> Any:
        return (eval, ("1/0",))


async def begun(**parts: Any) -> Rig:
    rig = Rig(**parts)
    await rig.begin()
    return rig


def stored(rig: Rig, payload: bytes, **parts: Any) -> dict[str, Any]:
    """A body of `model_updated` whose bytes are others."""
    body = rig.trainer.version("lr", 2)
    artifact = rig.store.put(payload).model_dump(mode="json")
    return {**body, "artifact": artifact, **parts}


async def test_a_promotion_swaps_and_a_rollback_swaps_back_without_a_fetch() -> None:
    rig = await begun()
    assert await rig.serving() == "churn/sm/v1"
    await rig.promote("lr/v1")
    assert await rig.serving() == "churn/lr/v1"
    assert rig.loader.loaded == ["churn/sm/v1", "churn/lr/v1"]
    rig.book.accepted("rollback", {"model": "churn"})
    rig.tell()  # no step of the loop is needed
    assert rig.swapping.models["churn"].wanted.seq == rig.swapping.models["churn"].settled == 3
    assert await rig.serving() == "churn/sm/v1"
    assert len(rig.loader.loaded) == 2
    assert rig.changes == 3


async def test_the_former_version_answers_while_the_new_one_is_loaded() -> None:
    rig = await begun()
    gate = asyncio.Event()
    loop = asyncio.get_running_loop()

    def held() -> None:
        asyncio.run_coroutine_threadsafe(gate.wait(), loop).result(PATIENCE_SECONDS)

    rig.loader.before = held
    rig.book.accepted("promote", {"model": "churn", "version": "lr/v1"})
    rig.tell()
    for _ in range(20):
        assert await rig.serving() == "churn/sm/v1"
    assert not rig.swapping.models["churn"].is_settled
    gate.set()
    await rig.settle()
    assert await rig.serving() == "churn/lr/v1"


async def test_a_rollback_does_not_wait_for_a_version_that_is_being_loaded() -> None:
    rig = await begun()
    await rig.promote("lr/v1")
    rig.book.accepted("model_updated", rig.trainer.version("sm", 2))

    tries = []

    def never() -> None:
        tries.append("once more")
        raise ArtifactError("gone")

    rig.loader.before = never
    rig.book.accepted("promote", {"model": "churn", "version": "sm/v2"})
    rig.tell()
    await eventually(lambda: tries)
    rig.book.accepted("rollback", {"model": "churn"})
    rig.tell()
    assert await rig.serving() == "churn/lr/v1"
    assert rig.swapping.models["churn"].is_settled
    await rig.swapping.close()


async def test_bytes_that_come_late_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(swapping, "FIRST_WAIT_SECONDS", 0.001)
    monkeypatch.setattr(swapping, "LAST_WAIT_SECONDS", 0.002)
    rig = await begun()
    tries = count(1)

    def late() -> None:
        if next(tries) < 20:
            raise ArtifactError("artifact is gone")

    rig.loader.before = late
    rig.book.accepted("promote", {"model": "churn", "version": "lr/v1"})
    rig.tell()
    await eventually(lambda: rig.swapping.models["churn"].refused)
    assert rig.swapping.not_ready() is None
    assert await rig.serving() == "churn/sm/v1"
    await rig.settle()
    assert await rig.serving() == "churn/lr/v1"
    assert rig.swapping.models["churn"].refused is None


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        pytest.param(pickle.dumps(Evil()), "no pickled model", id="code"),
        pytest.param(pickle.dumps({"a": 1}, 5), "holds the state", id="no model"),
        pytest.param(b"\x80\x05garbage", "no pickled model", id="garbage"),
        pytest.param(b"", "no pickled model", id="nothing"),
    ],
)
async def test_crafted_bytes_are_refused_and_the_former_version_serves_on(
    payload: bytes, why: str
) -> None:
    rig = await begun()
    rig.book.accepted("model_updated", stored(rig, payload))
    await rig.promote("lr/v2")
    assert await rig.serving() == "churn/sm/v1"
    standing = rig.swapping.models["churn"]
    assert standing.refused is not None
    assert why in standing.refused
    assert list(rig.swapping.versions.values()) == [standing.served.version.version_id]  # type: ignore[union-attr]
    (told,) = (await rig.ask("GET", "/v1/models")).json()
    assert told["wanted"] != told["served"]
    assert why in told["refused"]
    assert rig.swapping.not_ready() is None
    await rig.rollback()  # away from what never served
    assert (await rig.ask("GET", "/v1/models")).json()[0]["refused"] is None


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        pytest.param({"environment": {}}, "which River", id="no River"),
        pytest.param({"environment": {"river": "0.25.0"}}, "River 0.25.0", id="another River"),
        pytest.param({"state_hash": "f" * 64}, "holds the state", id="another state"),
        pytest.param(
            {"artifact": {"uri": "x", "sha256": "0" * 64, "bytes": 1 << 40}}, "too large",
            id="a terabyte",
        ),
    ],
)  # fmt: skip
async def test_a_recipe_that_its_bytes_do_not_fit_is_refused(
    parts: dict[str, Any], why: str
) -> None:
    rig = await begun()
    rig.book.accepted("model_updated", {**rig.trainer.version("lr", 2), **parts})
    await rig.promote("lr/v2")
    assert await rig.serving() == "churn/sm/v1"
    assert why in (rig.swapping.models["churn"].refused or "")


async def test_a_tampered_byte_never_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(swapping, "FIRST_WAIT_SECONDS", 0.001)
    rig = await begun()
    body = rig.trainer.version("lr", 2)
    get = rig.store.get

    class Tampered:
        def get(self, artifact: Artifact, /) -> bytes:
            payload = get(artifact)
            return payload[:50] + bytes([payload[50] ^ 1]) + payload[51:]

    rig.loader.inner = type(rig.loader.inner)(
        Tampered(), rig.loader.inner.codec, rig.loader.inner.check
    )
    rig.book.accepted("model_updated", body)
    await rig.promote("lr/v2")
    assert "another sha256" in (rig.swapping.models["churn"].refused or "")
    assert await rig.serving() == "churn/sm/v1"


async def test_a_version_that_has_learned_nothing_is_refused_by_the_check() -> None:
    rig = await begun()
    rig.book.accepted("model_updated", rig.trainer.version("lr", 2, labels=0))
    await rig.promote("lr/v2")
    refused = rig.swapping.models["churn"].refused
    assert refused == "On a reference row: churn/lr/v2 has no class for these features."
    assert await rig.serving() == "churn/sm/v1"


def ticking(seconds: float) -> Iterator[float]:
    return (number * seconds for number in count())


@pytest.mark.parametrize(("limit", "serves"), [(5.0, False), (15.0, True), (None, True)])
async def test_a_version_slower_than_its_specification_allows_is_refused(
    limit: float | None, serves: bool
) -> None:
    ticks = ticking(0.010)  # each look at the stopwatch is 10 ms later
    parts: dict[str, Any] = {} if limit is None else {"latency_limit_ms": limit}
    rig = await begun(spec=wire_spec(**parts), seconds=lambda: next(ticks))
    standing = rig.swapping.models["churn"]
    assert (standing.served is not None) is serves
    if not serves:
        assert standing.refused is not None
        assert "takes 10 ms for a reference row, more than the 5 ms" in standing.refused
        answer = await rig.predict()
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


async def test_what_a_rollback_would_bring_back_stays_warm_however_many_follow() -> None:
    rig = await begun(spec=wire_spec(follow=True), warm=2)
    await rig.promote("lr/v1")
    parent = rig.trainer.version("lr")["version_id"]
    for number in range(2, 8):
        body = {**rig.trainer.version("lr", number), "parent": parent}
        rig.book.accepted("model_updated", body)
        parent = body["version_id"]
        await rig.feed()
        assert await rig.serving() == f"churn/lr/v{number}"
    assert sorted(rig.swapping.models["churn"].shelf.names()) == ["churn/lr/v7", "churn/sm/v1"]
    loaded = len(rig.loader.loaded)
    await rig.rollback()
    assert await rig.serving() == "churn/sm/v1"
    assert len(rig.loader.loaded) == loaded


async def test_after_a_restart_the_way_back_is_warm_again() -> None:
    rig = await begun()
    await rig.promote("lr/v1")
    again = Rig(book=rig.book, spec=rig.spec)
    again.loader = rig.loader
    again.swapping.loader = rig.loader
    rig.loader.loaded.clear()
    await again.feed()
    await again.settle()
    assert rig.loader.loaded == ["churn/lr/v1", "churn/sm/v1"]
    assert await again.serving() == "churn/lr/v1"


async def test_damage_found_at_the_start_is_said_and_later_damage_stops_nobody() -> None:
    fresh = Rig()
    fresh.swapping.damage = "the registry is damaged: fact 2 was changed"
    assert fresh.swapping.not_ready() == "the registry is damaged: fact 2 was changed"
    rig = await begun()
    assert rig.swapping.not_ready() is None
    last = rig.book.records[-1]
    with pytest.raises(BrokenChainError, match=r"fact \d+ stands where \d+ belongs"):
        rig.deployments.take(last)
    rig.swapping.damage = "the registry is damaged"
    assert rig.swapping.not_ready() is None
    assert await rig.serving() == "churn/sm/v1"


async def test_a_fault_of_ours_does_not_look_like_loading_for_ever() -> None:
    rig = await begun()

    def broken() -> None:
        raise KeyError("ours")

    rig.loader.before = broken
    await rig.promote("lr/v1")
    assert "cannot be loaded: KeyError" in (rig.swapping.models["churn"].refused or "")
    assert await rig.serving() == "churn/sm/v1"


async def more(answers: Sized, count: int) -> None:
    wanted = len(answers) + count
    await eventually(lambda: len(answers) >= wanted)


async def test_no_request_is_lost_while_versions_swap_under_load() -> None:
    rig = await begun()
    stop = asyncio.Event()
    answers: list[httpx.Response] = []

    async def ask() -> None:
        while not stop.is_set():
            answers.append(await rig.predict())
            await asyncio.sleep(0)  # nothing else in memory lets the others run

    askers = [asyncio.create_task(ask()) for _ in range(4)]
    for version in ["lr/v1", "sm/v1"] * 5:
        await rig.promote(version)
        await more(answers, 2 * len(askers))
    stop.set()
    await asyncio.gather(*askers)
    assert {answer.status_code for answer in answers} == {200}
    told = {answer.json()["prediction_id"]: answer.json()["model_version"] for answer in answers}
    published = {event["prediction_id"]: event["model_version"] for event in rig.published()}
    assert told == published
    assert len(set(told.values())) == 2
