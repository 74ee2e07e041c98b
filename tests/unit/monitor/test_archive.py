"""States that are written down for the day Redis is lost: when, where, and read back how."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import orjson
import pytest
import structlog
from structlog.testing import capture_logs

from driftline.monitor import app, archive
from driftline.monitor import state as monitor_state
from driftline.monitor.archive import ROLE, TELL_MS, Archive
from driftline.monitor.published import MemoryAlerts
from driftline.monitor.state import Monitors, MonitorState
from driftline.runtime.checkpoint_topic import MemoryCheckpoints
from driftline.runtime.memory import ManualClock, MemoryOutputs, MemoryRecord
from driftline.runtime.models.artifacts import ArtifactStore, ArtifactUnavailableError
from driftline.runtime.ports import Opening
from driftline.runtime.settings import Settings
from driftline_schemas.alerts import Alert
from driftline_schemas.codec import decode, encode
from driftline_schemas.registry import Checkpoint
from driftline_schemas.verdicts import Verdict
from tests.unit.core.monitoring.journal import PANE, POLICY, START, TOPIC, Entry, Journal, joined

PREFIX, PARTITION = "driftline", 0  # where the models m and k belong
EVEN, HIGH = [50, 50, 50, 50, 0, 0], [0, 0, 0, 200, 0, 0]


def journal(*panes: list[int]) -> list[Entry]:
    """A registered model, one that nobody registered, and pane after pane of 200 predictions."""
    written = Journal()
    written.spec()
    written.bins()
    for i, vector in enumerate(panes):
        pane = START + i * PANE
        written.counts(pane, 200, vector, pane=pane)
        written.joined(pane + 2_000, 2 * i)
        written.write(pane + 2_000, **joined(pane + 2_000, 2 * i + 1, model="passing-by"))
        written.mark(pane + 2 * PANE)
    return written.entries


def records(entries: Sequence[Entry]) -> list[MemoryRecord]:
    return [MemoryRecord(e.offset, e.time, None, encode(e.record)) for e in entries]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return str(tmp_path / "artifacts")


def folder(url: str) -> str:
    return f"{url}/checkpoints/{PREFIX}/{ROLE}/{PARTITION}"


class Process:
    """One life of a monitor process that writes its state of one partition down."""

    def __init__(
        self, url: str, told: Sequence[Checkpoint] = (), published: Sequence[Alert] = ()
    ) -> None:
        self.url = url
        self.clock = ManualClock(START)
        self.outputs = MemoryOutputs()
        checkpoints = MemoryCheckpoints(ROLE, list(told))
        self.monitors = Monitors(
            POLICY, PREFIX, self.outputs, MemoryAlerts(list(published)), self.clock,
            Archive(url, PREFIX, checkpoints, self.outputs, self.clock),
        )  # fmt: skip

    async def open(
        self, *, payload: bytes | None = None, offset: int = 0, committed: int = 0, end: int = 0
    ) -> MonitorState:
        before = {TOPIC: committed} if committed else {}
        return await self.monitors.open_state(
            Opening(PARTITION, payload, {TOPIC: offset}, before, {TOPIC: end})
        )

    async def save(self, state: MonitorState, later_ms: int = TELL_MS) -> bytes:
        """A checkpoint so much later, and all that follows from it."""
        self.clock.advance(later_ms)
        payload = state.cut()
        state.saved()
        await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})
        return payload

    def told(self) -> list[Checkpoint]:
        return [decode(Checkpoint, r.value) for r in self.outputs.of("driftline.checkpoints.v1")]

    def found(self) -> list[Verdict | Alert]:
        out = self.outputs
        return [
            *(decode(Alert, record.value) for record in out.of("driftline.alerts.v1")),
            *(decode(Verdict, record.value) for record in out.of("driftline.verdicts.v1")),
        ]

    def alerts(self) -> list[Alert]:
        return [event for event in self.found() if isinstance(event, Alert)]

    def lying(self) -> set[str]:
        return {path.name for path in Path(folder(self.url)).glob("??/*")}


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loggers that `capture_logs` sees: another test may have configured, and cached, one."""
    structlog.reset_defaults()
    for module in (monitor_state, archive, app):
        monkeypatch.setattr(module, "log", structlog.get_logger())


async def test_every_ten_minutes_registered_models_are_told_where_their_state_lies(
    url: str,
) -> None:
    entries, process = journal(EVEN, EVEN, EVEN), Process(url)
    state = await process.open()
    state.apply(TOPIC, records(entries[:6]))
    await process.save(state, TELL_MS - 1)
    assert process.told() == []
    payload = await process.save(state, 1)
    (told,) = process.told()
    assert (told.role, told.model, told.offset) == (ROLE, "m", entries[5].offset + 1)
    assert process.outputs.of("driftline.checkpoints.v1")[0].key == f"{ROLE}/m"
    assert ArtifactStore.at(folder(url)).get(told.artifact) == payload
    state.apply(TOPIC, records(entries[6:]))
    await process.save(state, TELL_MS - 1)
    assert len(process.told()) == 1
    await process.save(state, 1)
    assert process.told()[1].offset == entries[-1].offset + 1


async def test_a_process_that_is_restarted_often_writes_all_the_same(url: str) -> None:
    entries, process = journal(EVEN), Process(url)
    state = await process.open()
    state.apply(TOPIC, records(entries))
    payload = await process.save(state, 1_000)
    for _ in range(9):
        process.clock.advance(TELL_MS // 9)
        state = await process.open(payload=payload, offset=entries[-1].offset + 1)
        payload = await process.save(state, 0)
    assert len(process.told()) == 1


async def test_where_nobody_is_registered_nothing_is_written(url: str) -> None:
    process = Process(url)
    state = await process.open()
    unknown = Journal()
    unknown.joined(START, 0)
    state.apply(TOPIC, records(unknown.entries))
    await process.save(state)
    assert process.told() == []
    assert process.lying() == set()


@pytest.mark.parametrize("written_after", range(3, 13))
async def test_without_redis_a_partition_goes_on_from_what_was_written_down(
    url: str, written_after: int
) -> None:
    entries = journal(HIGH, HIGH, EVEN)
    end, committed = entries[-1].offset + 1, entries[12].offset
    whole = Process(url)
    state = await whole.open()
    state.apply(TOPIC, records(entries))
    state.cut()
    first = Process(url)
    state = await first.open()
    state.apply(TOPIC, records(entries[:written_after]))
    await first.save(state)
    (told,) = first.told()
    state.apply(TOPIC, records(entries[written_after:12]))
    await first.save(state, 1)
    known = len(first.found())
    again = Process(url, first.told(), first.alerts())
    state = await again.open(committed=committed, end=end)
    assert state.start({TOPIC: 0}) == {TOPIC: told.offset}
    state.apply(TOPIC, records(entries[written_after:12]))
    assert again.found() == []  # silent up to what was committed
    assert state.ready() is (written_after == 13)
    state.apply(TOPIC, records(entries[12:]))
    assert state.ready()
    state.cut()
    said = {event.model_dump_json() for event in [*first.found()[:known], *again.found()]}
    assert said >= {event.model_dump_json() for event in whole.found()}
    assert first.alerts() + again.alerts() == whole.alerts()


async def written_twice(url: str, entries: Sequence[Entry]) -> tuple[Checkpoint, Checkpoint]:
    """Told in the middle and at the end, of two models, so that both are the newest of one."""
    process = Process(url)
    state = await process.open()
    state.apply(TOPIC, records(entries[:6]))
    await process.save(state)
    state.apply(TOPIC, records(entries[6:]))
    await process.save(state)
    older, newer = process.told()
    return older, newer.model_copy(update={"model": "k"})


def damage(told: Checkpoint) -> None:
    Path(told.artifact.uri).write_bytes(b"?" * told.artifact.bytes)


@pytest.mark.parametrize(
    ("committed", "harm", "begins"),
    [(1_000, 0, "newer"), (130, 0, "older"), (50, 0, "start"), (0, 0, "start"),
     (1_000, 1, "older"), (1_000, 2, "start")],
    ids=["the newest", "not above what was committed", "nor any that is", "nothing was committed",
         "a damaged one is passed over", "all are damaged"],
)  # fmt: skip
async def test_a_rebuild_begins_at_the_newest_that_can_be_read(
    url: str, committed: int, harm: int, begins: str
) -> None:
    older, newer = await written_twice(url, journal(EVEN, EVEN, EVEN))
    for told in (newer, older)[:harm]:
        damage(told)
    state = await Process(url, [older, newer]).open(committed=committed, end=1_000)
    offsets = {"newer": newer.offset, "older": older.offset, "start": 0}
    assert (older.offset, newer.offset) == (51, 131)
    assert state.start({TOPIC: 0}) == {TOPIC: offsets[begins]}


async def test_what_another_version_wrote_is_rebuilt_from_the_start(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries, process = journal(EVEN), Process(url)
    state = await process.open()
    state.apply(TOPIC, records(entries))
    await process.save(state)
    monkeypatch.setattr(monitor_state, "SNAPSHOT_VERSION", 0)
    again = await Process(url, process.told()).open(committed=1_000, end=1_000)
    assert again.start({TOPIC: 0}) == {TOPIC: 0}
    assert not again.ready()


async def test_a_state_in_redis_that_cannot_be_read_is_replaced_by_what_was_written_down(
    url: str,
) -> None:
    entries, process = journal(EVEN), Process(url)
    state = await process.open()
    state.apply(TOPIC, records(entries))
    payload = await process.save(state)
    damaged = orjson.dumps({**orjson.loads(payload), "version": 0})
    offset = entries[-1].offset + 1
    again = await Process(url, process.told()).open(payload=damaged, offset=offset, end=offset)
    assert again.start({TOPIC: offset}) == {TOPIC: offset}
    assert again.fold.registered == ["m"]


async def test_what_is_superseded_is_removed_once_the_next_is_known(url: str) -> None:
    entries, process = journal(EVEN, EVEN), Process(url)
    state = await process.open()
    payloads = []
    for i in range(6):
        state.apply(TOPIC, records(entries[2 * i : 2 * i + 2]))
        payloads.append(await process.save(state, TELL_MS // 2))
    told = [told.artifact.sha256 for told in process.told()]
    assert len(told) == 3
    assert process.lying() == set(told[-2:])  # one goes when it is sure that the next was told
    again = Process(url)
    again.clock.advance(3 * TELL_MS)
    state = await again.open(payload=payloads[-1], offset=1_000)  # which was itself written down
    await go_on(again, state)
    assert len(again.lying()) == 2
    assert not again.lying() & set(told)


async def test_what_a_rebuild_began_with_is_superseded_too(url: str) -> None:
    entries, process = journal(EVEN), Process(url)
    state = await process.open()
    state.apply(TOPIC, records(entries))
    await process.save(state)
    (told,) = process.told()
    again = Process(url, [told])
    state = await again.open(committed=told.offset, end=told.offset)
    await go_on(again, state)
    assert told.artifact.sha256 not in again.lying()


async def go_on(process: Process, state: MonitorState) -> None:
    """Half an hour of nothing but marks."""
    (mark,) = records(journal(EVEN)[-1:])
    for i in range(6):
        state.apply(TOPIC, [MemoryRecord(1_000 + i, START, None, mark.value)])
        await process.save(state, TELL_MS // 2)


@pytest.mark.usefixtures("logs")
async def test_a_store_that_cannot_be_written_is_told_and_tried_again(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_store: ArtifactStore, _payload: bytes) -> NoReturn:
        raise ArtifactUnavailableError("the disk is full")

    put = ArtifactStore.put
    monkeypatch.setattr(ArtifactStore, "put", full)
    entries, process = journal(EVEN), Process(url)
    state = await process.open()
    state.apply(TOPIC, records(entries))
    with capture_logs() as said:
        await process.save(state)
    assert [log["event"] for log in said] == ["checkpoint_not_written"]
    assert process.told() == []
    monkeypatch.setattr(ArtifactStore, "put", put)
    await process.save(state, TELL_MS - 1)
    assert process.told() == []
    await process.save(state, 1)
    assert len(process.told()) == 1


@pytest.mark.usefixtures("logs")
@pytest.mark.parametrize(
    ("url", "has_one", "events"),
    [
        (None, False, []),
        ("memory://a", True, []),
        ("nosuch://a", False, ["checkpoints_are_not_written"]),
    ],
    ids=["nobody said where", "a place", "a place that nobody can speak to"],
)
def test_a_monitor_needs_no_artifact_store(
    url: str | None, has_one: bool, events: list[str]
) -> None:
    with capture_logs() as said:
        found = app.archive_of(Settings(artifacts_url=url), MemoryOutputs())
    assert (found is not None) is has_one
    assert [log["event"] for log in said] == events
