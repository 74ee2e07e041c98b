"""The learner's partition: order of what is published, checkpoints, restarts, lost Redis."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from driftline.core.learning.fold import Upcoming
from driftline.learner.app import build
from driftline.learner.opening import Learners
from driftline.learner.publishing import Publishing
from driftline.learner.ranges import MemoryRanges
from driftline.learner.state import ROLE, SAVE_MS, TELL_MS, LearnerState
from driftline.learner.trials import Trials
from driftline.learner.workshop import Workshop
from driftline.runtime.checkpoint_topic import MemoryCheckpoints
from driftline.runtime.errors import DriftlineError
from driftline.runtime.memory import ManualClock, MemoryOutputs, MemoryRecord
from driftline.runtime.models.artifacts import ArtifactError, ArtifactStore
from driftline.runtime.models.loader import SafeCodec
from driftline.runtime.ports import Opening, StoreUnavailableError
from driftline.runtime.settings import load
from driftline_schemas.codec import decode
from driftline_schemas.journal import JOURNAL_RECORD, Mark
from driftline_schemas.partitioner import partition_of
from driftline_schemas.registry import Artifact, Checkpoint
from tests.world.loop import POLICY, World
from tests.world.small import turned
from tests.world.small import world as begin

PREFIX, TOPIC = "driftline", "driftline.journal.v1"
COMMANDS = "driftline.registry-commands.v1"
PARTITION = partition_of("m", 8)


def records(entries: Sequence[Upcoming]) -> list[MemoryRecord]:
    told: list[Any] = [Mark(times={}) if e.record is None else e.record for e in entries]
    return [
        MemoryRecord(e.offset, e.append_time, None, orjson.dumps(
            JOURNAL_RECORD.dump_python(record, mode="json", exclude_none=True)))
        for e, record in zip(entries, told, strict=True)
    ]  # fmt: skip


class Process:
    """One life of a learner process on a folder of artifacts."""

    def __init__(
        self, url: str, told: Sequence[Checkpoint] = (), codec: SafeCodec | None = None
    ) -> None:
        self.url = url
        self.clock = ManualClock(1_000_000)
        self.outputs = MemoryOutputs()
        self.publishing = Publishing(self.outputs)
        self.ranges = MemoryRanges()
        codec = codec or SafeCodec()
        workshop = Workshop(ArtifactStore.at(url), self.ranges, codec, POLICY.chances, self.clock)
        self.learners = Learners(
            POLICY, codec, workshop, Trials(workshop), self.publishing,
            MemoryCheckpoints(ROLE, list(told)), url, PREFIX, self.clock,
        )  # fmt: skip

    async def open(
        self, payload: bytes | None = None, offset: int = 0, committed: int = 0
    ) -> LearnerState:
        known = {TOPIC: committed} if committed else {}
        return await self.learners.open_state(
            Opening(PARTITION, payload, {TOPIC: offset}, known, {TOPIC: 0})
        )

    async def apply(self, state: LearnerState, entries: Sequence[Upcoming], chunk: int = 7) -> None:
        for start in range(0, len(entries), chunk):
            some = records(entries[start : start + chunk])
            self.ranges.records += [(r.offset, r.timestamp, r.value or b"") for r in some]
            await state.prepare(TOPIC, some)
            if (work := state.apply(TOPIC, some)) is not None:
                await work

    async def save(self, state: LearnerState) -> bytes:
        cut = state.cut()
        payload = cut if isinstance(cut, bytes) else await cut
        assert await self.publishing.flush()
        assert state.saved() is False
        assert await self.publishing.flush()
        return payload

    def commands(self) -> list[dict[str, Any]]:
        return [orjson.loads(out.value) for out in self.outputs.of(COMMANDS)]

    def told(self) -> list[Checkpoint]:
        return [decode(Checkpoint, r.value) for r in self.outputs.of("driftline.checkpoints.v1")]

    def passing(self) -> set[str]:
        folder = Path(self.url) / "checkpoints" / PREFIX / str(PARTITION)
        return {file.name for file in folder.glob("??/*")}


def named(commands: Sequence[dict[str, Any]]) -> list[tuple[str, Any]]:
    """Commands, but for where their artifact lies: its bytes may differ."""
    return [
        (c["command_id"], {k: v for k, v in c["body"].items() if k != "artifact"})
        for c in commands
    ]  # fmt: skip


@pytest.fixture
def url(tmp_path: Path) -> str:
    return str(tmp_path / "artifacts")


def world_on(url: str, n: int = 400) -> World:
    """A world that has played, its files in the artifact store."""
    world = begin()
    turned(world, n)
    for payload in world.store.values():
        ArtifactStore.at(url).put(payload)
    return world


async def whole(url: str, world: World) -> Process:
    process = Process(url)
    state = await process.open()
    await process.apply(state, world.learner.journal)
    assert await process.publishing.flush()
    return process


async def test_bytes_lie_in_the_store_before_anybody_hears_of_them(url: str) -> None:
    world, process = world_on(url), Process(url)
    store = ArtifactStore.at(url)
    seen = []

    class Watching(MemoryOutputs):
        def produce(self, topic: str, value: bytes, **place: Any) -> None:
            if topic == COMMANDS and (body := orjson.loads(value)["body"]).get("artifact"):
                seen.append(len(store.get(Artifact.model_validate(body["artifact"]))))
            super().produce(topic, value, **place)

    process.publishing._outputs = Watching()
    await process.apply(await process.open(), world.learner.journal)
    assert await process.publishing.flush()
    assert len(seen) == len([f for f in world.book.facts if f.action == "model_updated"])


async def test_the_process_says_what_the_fold_says_in_the_same_order(url: str) -> None:
    world = world_on(url)
    process = await whole(url, world)
    told = [f.command_id for f in world.book.facts if f.actor == "learner"]
    assert [command["command_id"] for command in process.commands()] == told
    metrics = process.outputs.of("driftline.learning-metrics.v1")
    assert {out.key for out in metrics} == {"m"}
    assert {out.partition for out in process.outputs.of(COMMANDS)} == {0}


@pytest.mark.parametrize("at", [1, 2, 60, 333])
async def test_a_restart_from_a_checkpoint_goes_on_identically(url: str, at: int) -> None:
    world = world_on(url)
    straight = await whole(url, world)
    first, second = Process(url), Process(url)
    state = await first.open()
    await first.apply(state, world.learner.journal[:at])
    payload = await first.save(state)
    state = await second.open(payload, at)
    assert state.start({TOPIC: at}) == {TOPIC: at}
    await second.apply(state, world.learner.journal[at:])
    await second.publishing.flush()
    assert named(first.commands() + second.commands()) == named(straight.commands())


async def test_a_lost_state_is_rebuilt_silently(url: str) -> None:
    world = world_on(url)
    straight = await whole(url, world)
    at = len(world.learner.journal) // 2
    process = Process(url)
    state = await process.open(committed=at)
    assert state.start({TOPIC: 0}) == {TOPIC: 0}
    assert not state.ready()
    await process.apply(state, world.learner.journal[:at])
    assert process.outputs.records == []
    assert state.ready()
    await process.apply(state, world.learner.journal[at:])
    await process.publishing.flush()
    said = named(process.commands())
    assert 0 < len(said) < len(straight.commands())
    assert said == named(straight.commands())[-len(said) :]


async def test_checkpoints_are_put_off_unless_only_time_has_passed(url: str) -> None:
    world, process = world_on(url), Process(url)
    state = await process.open()
    await process.apply(state, world.learner.journal[:50])
    assert state.due()
    await process.save(state)
    await process.apply(state, [Upcoming(50, world.now, None)])
    assert state.due()
    await process.apply(state, [Upcoming(51, world.now, world.learner.journal[51].record)])
    assert not state.due()
    process.clock.advance(SAVE_MS)
    assert state.due()


async def test_what_a_newer_checkpoint_does_not_need_is_removed(url: str) -> None:
    world, process = world_on(url), Process(url)
    state = await process.open()
    journal = world.learner.journal
    sizes = []
    for start in range(0, 330, 33):
        await process.apply(state, journal[start : start + 33])
        payload = await process.save(state)
        sizes.append(len(process.passing()))
    assert max(sizes) <= 1  # the frozen one is a version
    again = await Process(url).open(payload, 330)
    assert set(again.fold.models["m"].roster.entrants) >= {"frozen", "live"}


async def test_every_ten_minutes_the_state_is_told_and_a_rebuild_begins_there(url: str) -> None:
    world = world_on(url)
    straight = await whole(url, world)
    process, journal = Process(url), world.learner.journal
    state = await process.open()
    await process.apply(state, journal[:100])
    await process.save(state)
    assert process.told() == []
    process.clock.advance(TELL_MS)
    await process.apply(state, journal[100:210])
    await process.save(state)
    await process.apply(state, journal[210:240])
    await process.save(state)
    (told,) = process.told()
    assert (told.role, told.model, told.offset) == ("learner", "m", 210)
    rebuilt = Process(url, [told])
    state = await rebuilt.open(committed=240)
    assert state.start({TOPIC: 0}) == {TOPIC: 210}
    await rebuilt.apply(state, journal[210:])
    await rebuilt.publishing.flush()
    said = named(rebuilt.commands())
    assert said == named(straight.commands())[-len(said) :]
    state = await Process(url, [told]).open(committed=209)
    assert state.start({TOPIC: 0}) == {TOPIC: 0}  # it knows more than was told


async def test_a_model_that_was_not_written_down_means_from_the_beginning(url: str) -> None:
    world, process = world_on(url), Process(url)
    state = await process.open()
    await process.apply(state, world.learner.journal[:100])
    await process.save(state)
    process.clock.advance(TELL_MS)
    await process.apply(state, world.learner.journal[100:110])
    await process.save(state)
    (told,) = process.told()
    store = ArtifactStore.at(f"{url}/checkpoints/{PREFIX}/{PARTITION}")
    document = orjson.loads(store.get(told.artifact))
    other = store.put(orjson.dumps({**document, "models": ["m", "n"]}))
    incomplete = told.model_copy(update={"artifact": other})
    state = await Process(url, [incomplete]).open(committed=110)
    assert state.start({TOPIC: 0}) == {TOPIC: 0}


@pytest.mark.parametrize("damage", ["another version", "bytes are gone", "no JSON"])
async def test_a_state_that_cannot_be_read_is_rebuilt(url: str, damage: str) -> None:
    world, process = world_on(url), Process(url)
    state = await process.open()
    await process.apply(state, world.learner.journal[:90])
    payload = await process.save(state)
    if damage == "another version":
        payload = orjson.dumps({**orjson.loads(payload), "version": 0})
    elif damage == "no JSON":
        payload = b"{"
    else:
        for digest in orjson.loads(payload)["bytes"]["passing"]:
            ArtifactStore.at(f"{url}/checkpoints/{PREFIX}/{PARTITION}").remove(digest)
    state = await Process(url).open(payload, 90)
    assert state.start({TOPIC: 90}) == {TOPIC: 0}


async def test_a_store_that_does_not_answer_loses_no_record(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, process = world_on(url), Process(url)
    state = await process.open()
    some = records(world.learner.journal[:3])
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", None)
        patch.setattr(
            "fsspec.implementations.local.LocalFileSystem.open", _unreachable, raising=True
        )
        with pytest.raises(StoreUnavailableError):
            await state.prepare(TOPIC, some)
    await state.prepare(TOPIC, some)
    state.apply(TOPIC, some)
    assert list(state.fold.models["m"].roster.entrants) == ["frozen", "live"]


def _unreachable(*_: Any, **__: Any) -> None:
    raise ConnectionResetError(104, "Connection reset by peer")


async def test_a_file_that_is_gone_breaks_its_pipelines_only(url: str) -> None:
    world, process = world_on(url), Process(url)
    spec = world.learner.journal[0].record
    assert spec is not None
    for artifact in spec.body.files.values():  # type: ignore[union-attr]
        ArtifactStore.at(url).remove(artifact.sha256)
    state = await process.open()
    await process.apply(state, world.learner.journal[:3])
    model = state.fold.models["m"]
    assert set(model.roster.broken) == {"frozen", "live"}
    assert "is gone" in model.roster.broken["live"]


async def test_artifacts_that_cannot_be_written_hold_everything_back(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("driftline.learner.publishing.FLUSH_SECONDS", 0.05)
    monkeypatch.setattr("driftline.learner.publishing.RETRY_SECONDS", 0.01)
    world, process = world_on(url), Process(url)
    state = await process.open()
    with monkeypatch.context() as patch:
        patch.setattr(ArtifactStore, "put", _full)
        await process.apply(state, world.learner.journal[:60])
        assert not await process.publishing.flush()
        assert process.outputs.records == []
    monkeypatch.setattr("driftline.learner.publishing.FLUSH_SECONDS", 10.0)
    assert await process.publishing.flush()
    assert process.commands()


def _full(*_: Any) -> None:
    raise ArtifactError("the disk is full")


@pytest.mark.parametrize("value", [None, b"{", b'{"kind":"joined"}', b"[]"])
async def test_a_record_that_is_no_journal_record_raises(url: str, value: bytes | None) -> None:
    state = await Process(url).open()
    with pytest.raises(ValueError):
        state.apply(TOPIC, [MemoryRecord(0, 5, None, value)])


def test_a_learner_that_is_not_told_where_models_are_kept_says_so() -> None:
    with pytest.raises(DriftlineError, match="DRIFTLINE_ARTIFACTS_URL"):
        build(load(artifacts_url=""))
