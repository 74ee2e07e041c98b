"""Big models learn and are written in a thread: nothing else waits, and nothing comes out other."""

import asyncio
from dataclasses import dataclass, field
from threading import Event
from typing import Any

import pytest

from driftline.core.learning.binary import OnlineModel
from driftline.core.learning.versions import Dumped
from driftline.learner import state as learner_state
from driftline.runtime.models.loader import SafeCodec
from tests.unit.learner.test_learner_state import (
    TOPIC,
    Process,
    named,
    records,
    url,
    whole,
    world_on,
)
from tests.waiting import PATIENCE_SECONDS, eventually

__all__ = ["url"]


@dataclass(slots=True)
class Obliging(SafeCodec):
    """Writes a model only once the event loop has had a turn; `writing` and `may_write` show and
    say when."""

    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    writing: Event = field(default_factory=Event)
    may_write: Event = field(default_factory=Event)

    def dump(self, model: OnlineModel) -> Dumped:
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0), self.loop).result(PATIENCE_SECONDS)
        self.writing.set()
        assert self.may_write.wait(PATIENCE_SECONDS)
        return SafeCodec.dump(self, model)


@pytest.fixture
def all_are_big(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learner_state, "BIG", 1)


@pytest.mark.parametrize("at", [60, 333])
async def test_big_models_say_what_small_ones_say(
    url: str, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    world = world_on(url)
    straight = await whole(url, world)
    monkeypatch.setattr(learner_state, "BIG", 1)
    first, second = Process(url), Process(url)
    state = await first.open()
    await first.apply(state, world.learner.journal[:at])
    payload = await first.save(state)
    state = await second.open(payload, at)
    await second.apply(state, world.learner.journal[at:])
    await second.publishing.flush()
    assert named(first.commands() + second.commands()) == named(straight.commands())


@pytest.mark.usefixtures("all_are_big")
async def test_the_event_loop_goes_on_while_big_models_learn_and_are_written(url: str) -> None:
    world, codec = world_on(url), Obliging()
    codec.may_write.set()
    process = Process(url, codec=codec)
    state = await process.open()
    await process.apply(state, world.learner.journal[:70])
    await process.save(state)
    assert state.broken == 0
    assert len(process.commands()) > 2


async def test_small_models_learn_and_are_written_in_the_event_loop(url: str) -> None:
    world, process = world_on(url), Process(url)
    state = await process.open()
    some = records(world.learner.journal[:70])
    await state.prepare(TOPIC, some)
    assert state.apply(TOPIC, some) is None
    assert isinstance(state.cut(), bytes)


@pytest.mark.usefixtures("all_are_big")
async def test_nothing_is_told_before_its_thread_has_ended(url: str) -> None:
    world, codec = world_on(url), Obliging()
    process = Process(url, codec=codec)
    state = await process.open()
    some = records(world.learner.journal[:70])
    codec.may_write.set()
    await state.prepare(TOPIC, some)
    codec.may_write.clear()
    work = state.apply(TOPIC, some)
    assert work is not None
    applying = asyncio.ensure_future(work)
    codec.writing.clear()
    await eventually(codec.writing.is_set)
    assert process.commands() == []
    codec.may_write.set()
    await applying
    assert await process.publishing.flush()
    assert process.commands()


@pytest.mark.usefixtures("all_are_big")
async def test_what_learns_again_waits_while_it_is_written(url: str) -> None:
    world = world_on(url, 60)
    world.ask("retrain", {"model": "m", "pipeline": "live", "source": [0, 40], "passes": 50})
    journal = world.learner.journal
    codec = Obliging()
    codec.may_write.set()
    process = Process(url, codec=codec)
    state = await process.open()
    await process.apply(state, journal)
    assert state.fold.is_busy
    codec.may_write.clear()
    codec.writing.clear()
    cut: Any = state.cut()
    await eventually(codec.writing.is_set)
    (job,) = state.fold.models["m"].jobs.open
    assert job.training is not None
    done = job.training.done
    later = journal[-1]._replace(
        offset=journal[-1].offset + 1, append_time=journal[-1].append_time + 500, record=None
    )
    preparing = asyncio.ensure_future(state.prepare(TOPIC, records([later])))
    for _ in range(50):
        await asyncio.sleep(0)
    assert (preparing.done(), job.training.done) == (False, done)
    codec.may_write.set()
    await cut
    await preparing
    assert job.training.done > done
