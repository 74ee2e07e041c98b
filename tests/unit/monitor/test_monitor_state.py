"""The monitor's partition: silent rebuild, restart, and agreement with what was published."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
import pytest
import structlog
from structlog.testing import capture_logs

from driftline.core.monitoring.fold import JournalFold
from driftline.monitor import state as monitor_state
from driftline.monitor.published import MemoryAlerts, still_open
from driftline.monitor.state import Monitors, MonitorState
from driftline.runtime.memory import ManualClock, MemoryOutputs, MemoryRecord
from driftline.runtime.ports import Opening
from driftline_schemas.alerts import Alert
from driftline_schemas.codec import decode, encode
from driftline_schemas.verdicts import Verdict
from tests.unit.core.monitoring.journal import PANE, POLICY, START, TOPIC, Entry, Journal

PREFIX = "driftline"
EVEN = [50, 50, 50, 50, 0, 0]
HIGH = [0, 0, 0, 200, 0, 0]


def journal(*panes: list[int]) -> list[Entry]:
    """A registered model, and one pane of 200 predictions after another, each with a label."""
    written = Journal()
    written.spec()
    written.bins()
    for i, vector in enumerate(panes):
        pane = START + i * PANE
        written.counts(pane, 200, vector, pane=pane)
        written.joined(pane + 2_000, i)
        written.mark(pane + 2 * PANE)
    return written.entries


def records(entries: Sequence[Entry]) -> list[MemoryRecord]:
    return [MemoryRecord(e.offset, e.time, None, encode(e.record)) for e in entries]


class Process:
    """One life of a monitor process: what it published, and its state of one partition."""

    def __init__(self, published: Sequence[Alert] = ()) -> None:
        self.outputs = MemoryOutputs()
        self.clock = ManualClock(START)
        self.monitors = Monitors(
            POLICY, PREFIX, self.outputs, MemoryAlerts(list(published)), self.clock
        )

    async def open(
        self,
        *,
        payload: bytes | None = None,
        offset: int = 0,
        committed: Mapping[str, int] | None = None,
        end: int = 0,
    ) -> MonitorState:
        return await self.monitors.open_state(
            Opening(3, payload, {TOPIC: offset}, committed or {}, {TOPIC: end})
        )

    def alerts(self) -> list[Alert]:
        return [decode(Alert, out.value) for out in self.outputs.of("driftline.alerts.v1")]

    def verdicts(self) -> list[Verdict]:
        return [decode(Verdict, out.value) for out in self.outputs.of("driftline.verdicts.v1")]


async def published(entries: Sequence[Entry]) -> tuple[Process, MonitorState]:
    """A process that has read all from the beginning, and saved."""
    process = Process()
    state = await process.open()
    state.apply(TOPIC, records(entries))
    state.cut()
    state.saved()
    return process, state


async def test_outputs_are_keyed_by_model() -> None:
    process, _ = await published(journal(HIGH))
    assert {out.topic for out in process.outputs.records} == {
        "driftline.alerts.v1",
        "driftline.verdicts.v1",
    }
    assert {out.key for out in process.outputs.records} == {"m"}


async def test_performance_is_revised_once_per_checkpoint() -> None:
    process = Process()
    state = await process.open()
    state.apply(TOPIC, records(journal(EVEN, EVEN)))
    assert {verdict.check for verdict in process.verdicts()} == {"data"}
    state.cut()
    revised = [verdict for verdict in process.verdicts() if verdict.check == "performance"]
    assert len(revised) == 3
    state.cut()
    assert len(process.verdicts()) == 2 + 3


async def test_a_large_state_is_saved_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    process, state = await published(journal(EVEN))
    process.clock.advance(3)
    assert state.due()
    monkeypatch.setattr(monitor_state, "SAVE_BYTES", 1)  # as if it had as many kilobytes
    size = len(state.cut())
    assert 2_000 < size < monitor_state.LONGEST_PAUSE_MS
    process.clock.advance(size - 1)
    assert not state.due()
    process.clock.advance(1)
    assert state.due()


@pytest.mark.parametrize(("takes_ms", "pause_ms"), [(100, 2_000), (30_000, 60_000)])
async def test_a_checkpoint_that_takes_long_is_taken_less_often(
    takes_ms: int, pause_ms: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    process, state = await published(journal(EVEN))
    revisions = state.fold.revisions

    def slowly(_: JournalFold) -> list[Verdict]:
        process.clock.advance(takes_ms)
        return revisions()

    monkeypatch.setattr(JournalFold, "revisions", slowly)
    state.cut()
    process.clock.advance(pause_ms - 1)
    assert not state.due()
    process.clock.advance(1)
    assert state.due()


async def test_a_clock_that_is_set_back_puts_no_checkpoint_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    process, state = await published(journal(EVEN))
    monkeypatch.setattr(monitor_state, "SAVE_BYTES", 1)
    state.cut()
    process.clock.advance(-3_600_000)
    assert state.due()


@pytest.mark.parametrize("cut_after", range(9))
async def test_a_restart_from_a_checkpoint_publishes_what_one_life_would(cut_after: int) -> None:
    entries = journal(HIGH, HIGH, EVEN)
    whole, _ = await published(entries)
    first, second = Process(), Process()
    state = await first.open()
    state.apply(TOPIC, records(entries[:cut_after]))
    payload = state.cut()
    second = Process(first.alerts())
    offset = entries[cut_after].offset
    state = await second.open(payload=payload, offset=offset, end=entries[-1].offset + 1)
    assert state.start({TOPIC: offset}) == {TOPIC: offset}
    state.apply(TOPIC, records(entries[cut_after:]))
    state.cut()
    assert first.alerts() + second.alerts() == whole.alerts()
    assert {
        (v.verdict_id, v.revision): v for v in first.verdicts() + second.verdicts()
    }.items() >= {(v.verdict_id, v.revision): v for v in whole.verdicts()}.items()


async def test_what_an_acceptance_came_to_is_logged_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    structlog.reset_defaults()  # another test may have configured, and cached, a logger
    monkeypatch.setattr(monitor_state, "log", structlog.get_logger())
    written = Journal()
    written.entries += journal(HIGH, HIGH, HIGH)
    written.accept_drift(START + 4 * PANE, 2, range(START, START + PANE))
    written.accept_drift(START + 4 * PANE, 3, range(START + 9 * PANE, START + 20 * PANE))
    state = await Process().open()
    with capture_logs() as logs:
        state.apply(TOPIC, records(written.entries))
        state.apply(TOPIC, [])
    said = [(log["model"], log["outcome"], log["n"]) for log in logs]
    assert said == [("m", "taken", 200), ("m", "too_few", 0)]
    end = written.entries[-1].offset + 1
    rebuilt = await Process().open(committed={TOPIC: end + 9}, end=end)
    with capture_logs() as logs:
        rebuilt.apply(TOPIC, records(written.entries))
    assert not [log for log in logs if log["event"] == "reference_counts"]


@pytest.mark.parametrize("chunk", [1, 2, 5])
async def test_the_size_of_a_batch_changes_nothing(chunk: int) -> None:
    entries = journal(HIGH, HIGH, EVEN)
    whole, _ = await published(entries)
    process = Process()
    state = await process.open()
    for start in range(0, len(entries), chunk):
        state.apply(TOPIC, records(entries[start : start + chunk]))
    state.cut()
    assert process.outputs.records == whole.outputs.records


async def test_a_rebuild_is_silent_up_to_the_committed_offset() -> None:
    entries = journal(HIGH, HIGH, EVEN)
    before, _ = await published(entries[:6])
    committed = {TOPIC: entries[6].offset}
    process = Process(before.alerts())
    state = await process.open(committed=committed, end=entries[-1].offset + 1)
    assert state.start({TOPIC: 0}) == {TOPIC: 0}
    state.apply(TOPIC, records(entries[:5]))
    assert not state.ready()
    state.apply(TOPIC, records(entries[5:6]))
    assert process.outputs.records == []
    state.apply(TOPIC, records(entries[6:]))
    assert state.ready()
    state.cut()
    whole, _ = await published(entries)
    assert before.alerts() + process.alerts() == whole.alerts()
    late = [v for v in process.verdicts() if v.check == "data"]
    assert late == [v for v in whole.verdicts() if v.check == "data"][1:]


async def test_a_rebuild_with_nothing_committed_publishes_everything_under_the_same_ids() -> None:
    entries = journal(HIGH, HIGH, EVEN)
    whole, _ = await published(entries)
    again = Process(whole.alerts())
    state = await again.open(end=entries[-1].offset + 1)
    state.apply(TOPIC, records(entries))
    state.cut()
    assert again.outputs.records == whole.outputs.records


@pytest.mark.parametrize(
    "change",
    [
        lambda state: {**state, "version": 0},
        lambda state: {**state, "fold": {**state["fold"], "policy": [60_000, 16]}},
    ],
    ids=["another version", "other panes"],
)
async def test_a_state_that_cannot_be_read_is_rebuilt_silently(
    change: Callable[[dict[str, Any]], dict[str, Any]],
) -> None:
    entries = journal(HIGH, EVEN)
    before, known = await published(entries)
    process = Process(before.alerts())
    end = entries[-1].offset + 1
    payload = orjson.dumps(change(orjson.loads(known.cut())))
    state = await process.open(payload=payload, offset=end, end=end)
    assert state.start({TOPIC: end}) == {TOPIC: 0}
    state.apply(TOPIC, records(entries))
    assert process.outputs.records == []
    assert state.ready()


@pytest.mark.parametrize(
    "value", [None, b"{", b'{"kind":"joined"}', b'{"kind":"mark","times":{"0":NaN}}']
)
async def test_a_record_that_is_no_journal_record_raises(value: bytes | None) -> None:
    state = await Process().open()
    with pytest.raises(ValueError):
        state.apply(TOPIC, [MemoryRecord(0, START, None, value)])


async def test_an_alert_that_the_fold_does_not_find_again_is_resolved_as_rebuilt() -> None:
    drifted, _ = await published(journal(HIGH))
    entries = journal(EVEN)
    process = Process(drifted.alerts())
    state = await process.open(end=entries[-1].offset + 1)
    state.apply(TOPIC, records(entries[:-1]))
    assert process.alerts() == []
    state.apply(TOPIC, records(entries[-1:]))
    (resolved,) = process.alerts()
    assert (resolved.status, resolved.reason, resolved.revision) == ("resolved", "rebuilt", 2)
    assert resolved.alert_id == drifted.alerts()[0].alert_id
    assert resolved.at == entries[-1].time


async def test_an_alert_that_was_never_published_is_published_after_a_rebuild() -> None:
    entries = journal(HIGH)
    lost, _ = await published(entries)
    end = entries[-1].offset + 1
    process = Process()
    state = await process.open(committed={TOPIC: end}, end=end)
    state.apply(TOPIC, records(entries))
    assert process.alerts() == lost.alerts()


async def test_an_open_alert_goes_on_above_the_published_revision() -> None:
    entries = journal(HIGH, EVEN)
    (firing,), end = (await published(entries[:5]))[0].alerts(), entries[5].offset
    process = Process([firing, firing.model_copy(update={"revision": 4, "status": "worse"})])
    state = await process.open(committed={TOPIC: end}, end=end)
    state.apply(TOPIC, records(entries[:5]))
    assert not process.alerts()
    state.apply(TOPIC, records(entries[5:]))
    (resolved,) = process.alerts()
    assert (resolved.alert_id, resolved.revision) == (firing.alert_id, 5)


async def test_an_incident_that_seems_to_open_elsewhere_keeps_its_published_id() -> None:
    entries = journal(HIGH, EVEN)
    (firing,), end = (await published(entries[:5]))[0].alerts(), entries[5].offset
    opened_by = (TOPIC, 3, 7)
    elsewhere = firing.model_copy(update={"alert_id": "e" * 16, "opened_by": opened_by})
    process = Process([elsewhere])
    state = await process.open(committed={TOPIC: end}, end=end)
    state.apply(TOPIC, records(entries))
    (resolved,) = process.alerts()
    assert (resolved.alert_id, resolved.opened_by) == (elsewhere.alert_id, opened_by)
    assert resolved.status == "resolved"


async def test_what_resolves_during_the_replay_is_not_resolved_twice() -> None:
    entries = journal(HIGH, EVEN)
    whole, _ = await published(entries)
    process = Process(whole.alerts()[:1])
    state = await process.open(end=entries[-1].offset + 1)
    state.apply(TOPIC, records(entries))
    assert process.alerts() == whole.alerts()


async def test_with_nothing_left_to_read_alerts_are_reconciled_at_once_and_saved() -> None:
    entries = journal(HIGH)
    _, state = await published(entries)
    payload, end = state.cut(), entries[-1].offset + 1
    process = Process()
    state = await process.open(payload=payload, offset=end, end=end)
    assert [alert.status for alert in process.alerts()] == ["firing"]
    assert state.changed()
    state.cut()
    assert state.saved() is False
    assert not state.changed()


def test_of_an_alert_the_highest_revision_says_whether_it_is_open() -> None:
    alert = Alert.model_validate(
        {
            "alert_id": "a" * 16, "fingerprint": "b" * 16, "status": "firing", "revision": 1,
            "at": START, "severity": "error", "model": "m", "model_version": "v1",
            "check": "data", "scope": "model", "opened_at": START, "opened_by": (TOPIC, 3, 0),
            "n": 1, "summary": "s", "replay": "r",
        }
    )  # fmt: skip
    resolved = alert.model_copy(update={"revision": 2, "status": "resolved"})
    assert still_open([alert]) == {alert.alert_id: alert}
    assert still_open([alert, resolved, alert]) == {}
