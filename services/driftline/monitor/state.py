"""What the monitor knows about one journal partition, and how that is saved and published."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, get_args
from weakref import WeakSet

import orjson
import structlog

from driftline.core.monitoring.fold import JournalFold, MonitorPolicy
from driftline.core.monitoring.reconciliation import reconcile
from driftline.core.monitoring.records import MONITOR_RECORD
from driftline.monitor.archive import Archive, PartitionArchive
from driftline.monitor.published import OPEN, PublishedAlerts
from driftline.runtime import metrics
from driftline.runtime.ports import Clock, Opening, Outputs, Record
from driftline.runtime.states import BasicState
from driftline_schemas.alerts import Alert, Check
from driftline_schemas.codec import encode
from driftline_schemas.topics import ALERTS, JOURNAL, VERDICTS
from driftline_schemas.verdicts import Verdict

log = structlog.get_logger(__name__)

SNAPSHOT_VERSION: Final = 4  # raise it when the fold keeps other things: states are then rebuilt
SAVE_SHARE: Final = 20  # checkpoints are so many times further apart than one takes
SAVE_BYTES: Final = 1_000  # and no more than so many bytes are written a millisecond
LONGEST_PAUSE_MS: Final = 60_000  # between two checkpoints all the same
CHECKS: Final = get_args(Check)


@dataclass(slots=True)
class Progress:
    """Journal offsets: what was read, below which nothing is published, where the start ended."""

    next: int
    silent_below: int
    end: int


class MonitorState(BasicState[bytes]):
    """A fold of one journal partition that publishes what it finds.

    Records below `silent_below` were folded before and their outputs are published: they only
    rebuild the state. Once the journal is read to `end`, open alerts are reconciled with
    `published`, those that the topic held when the partition was opened. Checkpoints of a large
    state are put off, so that writing them stays a small part of the work.
    """

    def __init__(
        self,
        fold: JournalFold,
        progress: Progress,
        published: Mapping[str, Alert],
        outputs: Outputs,
        prefix: str,
        *,
        clock: Clock,
        archive: PartitionArchive | None,
    ) -> None:
        self.fold = fold
        self._progress = progress
        self._published: dict[str, Alert] | None = dict(published)
        self._outputs = outputs
        self._prefix = prefix
        self._clock = clock
        self._archive = archive
        self._cut_at = self._due_at = 0
        self._unsaved = False
        self._counted_conflicts = 0
        self._reconcile_at_end()

    def start(self, offsets: Mapping[str, int]) -> Mapping[str, int]:
        """Where the state stands, which is the beginning if it must be rebuilt."""
        return dict.fromkeys(offsets, self._progress.next)

    def apply(self, topic: str, records: Sequence[Record]) -> None:
        """Fold the records in. Raises for one that is no journal record."""
        for record in records:
            self._fold(record)
        self._count_conflicts()
        self._log_references()

    def _fold(self, record: Record) -> None:
        progress, offset = self._progress, record.offset
        if progress.next <= progress.silent_below <= offset:
            self.fold.revisions()  # the checkpoint that stood there has published them
        progress.next = offset  # a hole in the log counts as read
        self._reconcile_at_end()
        event = MONITOR_RECORD.validate_python(orjson.loads(record.value or b""))
        found = self.fold.step(offset, record.timestamp, event)
        progress.next = offset + 1
        if offset >= progress.silent_below:
            self._publish(found)
        self._reconcile_at_end()

    def _reconcile_at_end(self) -> None:
        if self._published is None or self._progress.next < self._progress.end:
            return
        published, self._published = self._published, None
        written = reconcile(self.fold.lives(), published.values(), self.fold.time)
        self._publish(written)
        self._unsaved = True
        if written:
            log.info("alerts_reconciled", partition=self.fold.partition, written=len(written))

    def _publish(self, found: Sequence[Verdict | Alert]) -> None:
        for event in found:
            if isinstance(event, Alert):
                self._note(event)
                metrics.ALERTS.labels(event.check, event.status).inc()
            else:
                metrics.VERDICTS.labels(event.check, event.outcome).inc()
            topic = ALERTS if isinstance(event, Alert) else VERDICTS
            self._outputs.produce(topic.full_name(self._prefix), encode(event), key=event.model)

    def _note(self, alert: Alert) -> None:
        """Until they are reconciled: what is published now, of what was open at the start."""
        if self._published is None:
            return
        if alert.status in OPEN:
            self._published[alert.alert_id] = alert
        else:
            self._published.pop(alert.alert_id, None)

    def _count_conflicts(self) -> None:
        metrics.LABEL_KIND_CONFLICTS.inc(self.fold.conflicts - self._counted_conflicts)
        self._counted_conflicts = self.fold.conflicts

    def _log_references(self) -> None:
        changes = self.fold.reference_changes()
        for model, change in changes if self.ready() else ():
            log.info("reference_counts", model=model, outcome=change.outcome, n=change.n)

    def changed(self) -> bool:
        """What was reconciled is to be saved although no record was read."""
        return self._unsaved

    def ready(self) -> bool:
        """A checkpoint of a rebuild would take committed offsets back."""
        return self._progress.next >= self._progress.silent_below

    def due(self) -> bool:
        """The whole state is written: the larger it is, the less often."""
        return not self._cut_at <= self._clock.now() < self._due_at  # clocks are set back at times

    def cut(self) -> bytes:
        """The whole state as JSON. Performance gets its revisions here: once per checkpoint."""
        began = self._clock.now()
        self._publish(self.fold.revisions())
        row = None if self._archive is None else self._archive.row
        document = {"version": SNAPSHOT_VERSION, "archive": row, "fold": self.fold.snapshot()}
        payload = orjson.dumps(document)
        if self._archive is not None:
            self._archive.offer(payload, self._progress.next, self.fold.registered)
        self._cut_at = self._clock.now()
        pause = max(SAVE_SHARE * (self._cut_at - began), len(payload) // SAVE_BYTES)
        self._due_at = self._cut_at + min(pause, LONGEST_PAUSE_MS)
        return payload

    def saved(self) -> bool:
        """Nothing is left over."""
        self._unsaved = False
        return False


@dataclass(slots=True)
class Monitors:
    """Opens the partitions of one process."""

    policy: MonitorPolicy
    prefix: str
    outputs: Outputs
    published: PublishedAlerts
    clock: Clock
    archive: Archive | None = None
    _live: WeakSet[MonitorState] = field(default_factory=WeakSet)  # the keeper holds them

    def __post_init__(self) -> None:
        for check in CHECKS:
            metrics.OPEN_INCIDENTS.labels(check).set_function(partial(self._open_incidents, check))

    def _open_incidents(self, check: str) -> float:
        alerts = [alert for state in self._live for alert in state.fold.open_alerts()]
        return float(sum(alert.check == check for alert in alerts))

    async def open_state(self, opening: Opening[bytes]) -> MonitorState:
        """The state from its checkpoint; else from the archive; else one that is rebuilt from the
        beginning."""
        archive = None if self.archive is None else self.archive.of(opening.partition)
        fold, progress = await self._restored(opening, archive)
        published = await self.published.open(opening.partition)
        state = MonitorState(
            fold, progress, published, self.outputs, self.prefix,
            clock=self.clock, archive=archive,
        )  # fmt: skip
        self._live.add(state)
        return state

    async def _restored(
        self, opening: Opening[bytes], archive: PartitionArchive | None
    ) -> tuple[JournalFold, Progress]:
        topic, partition = JOURNAL.full_name(self.prefix), opening.partition
        end, offset = opening.end.get(topic, 0), opening.offsets.get(topic, 0)
        done = opening.committed.get(topic, 0) if opening.payload is None else offset
        if opening.payload is not None:
            try:
                fold = self._read(partition, opening.payload, archive)
            except ValueError as error:  # of another version, River or pane length; or damaged
                why = str(error)
                log.warning("state_is_rebuilt", partition=partition, up_to=offset, reason=why)
            else:
                return fold, Progress(next=offset, silent_below=0, end=end)
        fold, begin = await self._rebuilt(partition, done, archive)
        return fold, Progress(next=begin, silent_below=done, end=end)

    async def _rebuilt(
        self, partition: int, done: int, archive: PartitionArchive | None
    ) -> tuple[JournalFold, int]:
        """What was written down last, and the offset to fold on from; else nothing and 0."""
        if archive is not None and done > 0:
            async for offset, payload in archive.newest(done):
                try:
                    fold = self._read(partition, payload, archive)
                except ValueError as error:
                    log.warning("checkpoint_unreadable", partition=partition, reason=str(error))
                else:
                    log.info("checkpoint_taken_up", partition=partition, offset=offset, up_to=done)
                    return fold, offset
        return JournalFold(self.policy, JOURNAL.full_name(self.prefix), partition), 0

    def _read(
        self, partition: int, payload: bytes, archive: PartitionArchive | None
    ) -> JournalFold:
        """The fold of a checkpoint. Raises ValueError for one of another version."""
        document: dict[str, Any] = orjson.loads(payload)
        if document.get("version") != SNAPSHOT_VERSION:
            raise ValueError(f"a state of version {document.get('version')}")
        topic = JOURNAL.full_name(self.prefix)
        fold = JournalFold.restore(self.policy, topic, partition, document["fold"])
        if archive is not None and document["archive"] is not None:
            archive.take_up(document["archive"], payload)
        return fold
