"""Between two fetches of a consumer records gather; aiokafka may cancel a fetch at any moment."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread

from driftline.runtime import faust_consumer
from driftline.runtime.faust_consumer import BatchConsumerThread


async def started(happened: list[Any]) -> Any:
    """The fetcher of a consumer's thread that has started; what it asks the broker is noted."""

    async def fetch(*request: Any) -> bool:
        happened.append(request)
        return True

    thread = BatchConsumerThread.__new__(BatchConsumerThread)
    thread._consumer = SimpleNamespace(_fetcher=SimpleNamespace(_proc_fetch_request=fetch))
    await thread.on_start()
    return thread._consumer._fetcher


@pytest.fixture(autouse=True)
def _without_a_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    async def on_start(_thread: Any) -> None:
        return None

    monkeypatch.setattr(AIOKafkaConsumerThread, "on_start", on_start)


def test_a_fetch_goes_out_after_a_pause_and_its_answer_is_handed_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    happened: list[Any] = []

    async def pause(seconds: float) -> None:
        happened.append(seconds)

    async def run() -> object:
        fetcher = await started(happened)
        monkeypatch.setattr(asyncio, "sleep", pause)
        return await fetcher._proc_fetch_request("assignment", 1, "request")

    assert asyncio.run(run()) is True
    assert happened == [faust_consumer.FETCH_PAUSE_SECONDS, ("assignment", 1, "request")]


def test_a_fetch_that_is_cancelled_in_its_pause_brought_nothing() -> None:
    """aiokafka awaits the fetches that it cancels on its way out, and expects no error of them."""
    happened: list[Any] = []

    async def run() -> object:
        fetcher = await started(happened)
        fetch = asyncio.ensure_future(fetcher._proc_fetch_request("assignment", 1, "request"))
        await asyncio.sleep(0)
        fetch.cancel()
        return await fetch

    assert asyncio.run(run()) is False
    assert happened == []
