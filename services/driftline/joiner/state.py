"""One partition of predictions and labels: fold records in, save what changed, take it back."""

from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import orjson
import structlog
import xxhash
from pyroaring import BitMap64

from driftline.core.joining import counting
from driftline.core.joining.counting import SegmentCounts
from driftline.core.joining.envelope import (
    LabelEvent,
    PredictionEvent,
    Refusal,
    read_label,
    read_prediction,
)
from driftline.core.joining.halves import Half
from driftline.core.joining.matching import Limits, Matcher, Silence
from driftline.core.joining.misplaced import partitions_of
from driftline.core.joining.waiting_labels import Later, WaitingLabel
from driftline.joiner.bins import BinsInForce
from driftline.joiner.journal import JournalWriter, KnownBodies
from driftline.joiner.store import JoinDelta, JoinPayload, JoinStore, JoinWhole
from driftline.runtime import metrics
from driftline.runtime.dead_letters import DeadLetters
from driftline.runtime.ports import TP, Opening, Record
from driftline.runtime.registry_gate import wait_until_known
from driftline_schemas.topics import LABELS, PREDICTIONS

log = structlog.get_logger(__name__)

MOVED_PER_CHECKPOINT: Final = 1_000  # so that one call blocks Redis for less than 5 ms
CHANGES_PER_CHECKPOINT: Final = 2_000
EXPIRED_AT_ONCE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Overlay:
    """How much waits in memory before it moves to Redis."""

    age_ms: int = 60_000
    max_bytes: int = 16 * 1024 * 1024  # per partition


class _Known(NamedTuple):
    """A record whose envelope is good, with the hash of its key."""

    record: Record
    key: int
    event: Any


class _Refused(NamedTuple):
    """A record whose envelope is not good, and why."""

    record: Record
    refusal: Refusal


class _Read(NamedTuple):
    """What `prepare` read, for the `apply` of the very same records."""

    records: Sequence[Record]
    outcomes: Sequence[_Known | _Refused]


def key_hash(event: PredictionEvent | LabelEvent) -> int:
    """64 bits of (model, prediction id); an id cannot hold the separator."""
    return xxhash.xxh3_64_intdigest(f"{event.prediction_id}\n{event.model}".encode())


class JoinerState:
    """The port `PartitionState` of the joiner."""

    def __init__(
        self,
        opening: Opening[JoinPayload],
        *,
        prefix: str,
        limits: Limits,
        overlay: Overlay,
        pane_seconds: int,
        store: JoinStore,
        bins: BinsInForce,
        dead_letters: DeadLetters,
    ) -> None:
        self.partition = opening.partition
        self._predictions = PREDICTIONS.full_name(prefix)
        self._labels = LABELS.full_name(prefix)
        self._limits, self._overlay = limits, overlay
        self._store, self._bins, self._dead_letters = store, bins, dead_letters
        self._next = dict(opening.offsets)
        self._committed = dict(opening.committed)
        self._times: dict[str, int] = dict.fromkeys(self._next, 0)
        self._pending: BitMap64 = BitMap64()
        self._restart = self._next[self._predictions]
        self._changed = False
        self._moved_all = True
        self._read: _Read = _Read((), ())
        writer = JournalWriter(
            dead_letters.outputs, prefix, self.partition, pane_seconds, self._counts_are_silent
        )
        self._matcher = Matcher(
            limits,
            writer,
            KnownBodies(xxhash.xxh3_64_intdigest),
            Silence(
                self._committed.get(self._predictions, 0), self._committed.get(self._labels, 0)
            ),
        )
        self._counts = SegmentCounts(
            pane_ms=pane_seconds * 1_000,
            horizon_ms=limits.horizon,
            bins_of=bins.of,
            send=writer.counts,
            skewed_by=lambda producer: metrics.SKEWED.labels(producer[:64]).inc(),
        )
        self._counts_were_silent = self._counts_are_silent()
        if isinstance(opening.payload, JoinWhole):
            self._restore(opening.payload)

    # -- reading --------------------------------------------------------------------------------

    def start(self, offsets: Mapping[str, int]) -> Mapping[str, int]:
        """Predictions that waited only in memory are read again from the first of them."""
        return {**offsets, self._predictions: self._restart}

    async def prepare(self, topic: str, records: Sequence[Record]) -> None:
        """Have the bins that may be in force, and the stored halves that the records name."""
        if topic == self._predictions:
            await wait_until_known(self._bins.known_for, records[-1].timestamp)
        self._read = self._read_all(topic, records)
        halves = self._matcher.halves
        if not halves.stored and not halves.moving:
            return
        keys = [each.key for each in self._read.outcomes if isinstance(each, _Known)]
        while places := self._matcher.halves.unfetched(keys):  # a checkpoint may add to them
            found = await self._store.fetch(self.partition, places)
            self._matcher.halves.fetched.update(found)
            for key, _ in places:
                if key not in found:  # deleted from Redis by hand: it can never be joined
                    log.error("stored_half_missing", partition=self.partition)
                    self._matcher.halves.stored.pop(key, None)

    def apply(self, topic: str, records: Sequence[Record]) -> None:
        """Fold one chunk in."""
        if topic == self._predictions:
            records = self._reread(records)
        if not records:
            return
        if topic == self._predictions:
            self._apply_predictions(records)
        else:
            self._apply_labels(records)
        self._matcher.halves.fetched.clear()
        self._next[topic] = records[-1].offset + 1
        newest = max(record.timestamp for record in records)
        self._times[topic] = max(self._times[topic], newest)
        self._resend_counts_once()
        if self._committed and not self._rebuilding():
            self._committed.clear()

    def _apply_predictions(self, records: Sequence[Record]) -> None:
        first: list[counting.Seen] = []
        for record, key, event in self._judged(self._predictions, records):
            half = Half(record.offset, record.timestamp, record.value or b"")
            seen = self._matcher.prediction(key, half, event)
            if seen == "new":
                first.append(counting.Seen(record.offset, record.timestamp, event))
            elif seen == "conflict":
                metrics.REPEAT_CONFLICTS.inc()
            else:
                metrics.REPEATS.labels("prediction").inc()
        self._count(first)

    def _count(self, first: Sequence[counting.Seen]) -> None:
        """Count, and where a rebuild passes what was committed, begin to write there."""
        committed = self._committed.get(self._predictions, 0)
        old = [seen for seen in first if seen.offset < committed]
        self._counts.add(old)
        if len(old) < len(first):
            self._next[self._predictions] = max(self._next[self._predictions], committed)
            self._resend_counts_once()
            self._counts.add(first[len(old) :])

    def _resend_counts_once(self) -> None:
        """At the end of the silent part: what the open segment had not sent is not known."""
        if self._counts_were_silent and not self._counts_are_silent():
            self._counts_were_silent = False
            self._counts.resend()

    def _apply_labels(self, records: Sequence[Record]) -> None:
        for record, key, event in self._judged(self._labels, records):
            if self._matcher.label(key, record.offset, record.timestamp, event) == "repeat":
                metrics.REPEATS.labels("label").inc()

    def _read_all(self, topic: str, records: Sequence[Record]) -> _Read:
        """Read every envelope; nothing is decided yet."""
        read = read_prediction if topic == self._predictions else read_label
        return _Read(records, [_outcome(record, read) for record in records])

    def _judged(self, topic: str, records: Sequence[Record]) -> list[_Known]:
        """The records that are good and in their place; the others become dead letters."""
        read = self._read if self._read.records is records else self._read_all(topic, records)
        self._read = _Read((), ())
        known = [each for each in read.outcomes if isinstance(each, _Known)]
        for each in read.outcomes:
            if isinstance(each, _Refused):
                self._refuse(topic, each)
        ids = [each.event.prediction_id for each in known]
        places = partitions_of(ids, PREDICTIONS.partitions)
        if places.count(self.partition) == len(places):
            return known
        for one, place in zip(known, places, strict=True):
            if place != self.partition:
                self._refuse(topic, _Refused(one.record, Refusal("misplaced", MISPLACED)))
        return [k for k, place in zip(known, places, strict=True) if place == self.partition]

    def _refuse(self, topic: str, refused: _Refused) -> None:
        record, refusal = refused
        if record.offset >= self._committed.get(topic, 0):
            tp = TP(topic, self.partition)
            self._dead_letters.put(refusal.reason, refusal.sentence, tp, record)

    # -- recovery -------------------------------------------------------------------------------

    def ready(self) -> bool:
        """False while predictions that waited in memory are being read again."""
        return not self._pending

    def _reread(self, records: Sequence[Record]) -> Sequence[Record]:
        """Let records from before the checkpoint wait again, if they did; returns the others."""
        done = self._next[self._predictions]
        if records[0].offset >= done:
            self._pending.clear()  # anything still named there is gone from Kafka
            return records
        for record in records:
            if record.offset < done and record.offset in self._pending:
                event = read_prediction(record.value)
                half = Half(record.offset, record.timestamp, record.value or b"")
                self._matcher.wait(key_hash(event), half, event)
                self._pending.remove(record.offset)
        return [record for record in records if record.offset >= done]

    def _rebuilding(self) -> bool:
        return any(self._next[topic] < offset for topic, offset in self._committed.items())

    def _counts_are_silent(self) -> bool:
        return self._next[self._predictions] < self._committed.get(self._predictions, 0)

    # -- time -----------------------------------------------------------------------------------

    def time(self, topic: str) -> int:
        """The running maximum of append times (ms) of a topic's partition."""
        return self._times[topic]

    def send_counts(self) -> None:
        """Write the counts that changed."""
        self._counts.flush()

    async def expire(self, idle_clock: Mapping[str, int]) -> None:
        """Report halves whose partner did not come; `idle_clock`: the time (ms) of idle topics."""
        if not self.ready():
            return
        rebuilding = self._rebuilding()
        times = self._times if rebuilding else {**self._times, **idle_clock}
        label_time, prediction_time = times[self._labels], times[self._predictions]
        self._matcher.expire_labels(prediction_time, silent=rebuilding)
        keys = self._matcher.due_predictions(label_time, EXPIRED_AT_ONCE)
        if places := self._matcher.halves.unfetched(keys):
            found = await self._store.fetch(self.partition, places)
            self._matcher.halves.fetched.update(found)
        self._matcher.expire_predictions(keys, label_time, silent=rebuilding)
        self._matcher.halves.fetched.clear()
        self._matcher.remainders.forget(min(self._times.values()) - self._limits.repeat_window)
        self._changed = self._changed or bool(keys)

    # -- saving ---------------------------------------------------------------------------------

    def changed(self) -> bool:
        """Expiry changes the state without a record."""
        return self._changed or bool(self._matcher.labels.changed)

    def offsets(self, read: Mapping[str, int]) -> Mapping[str, int]:
        """While predictions are read again, the checkpoint still stands where it stood."""
        return {topic: max(offset, self._next[topic]) for topic, offset in read.items()}

    def full(self) -> bool:
        """Enough has changed for a checkpoint now."""
        matcher = self._matcher
        changes = len(matcher.halves.deleted) + len(matcher.labels.changed)
        return changes >= CHANGES_PER_CHECKPOINT

    def cut(self) -> JoinDelta:
        """Freeze what changed, and move what has waited long in memory."""
        matcher, newest = self._matcher, self._times[self._predictions]
        moved = matcher.halves.move(
            before=newest - self._overlay.age_ms,
            limit=MOVED_PER_CHECKPOINT,
            max_bytes=self._overlay.max_bytes,
        )
        deleted, matcher.halves.deleted = matcher.halves.deleted, []
        changed, matcher.labels.changed = matcher.labels.changed, set()
        remainders, matcher.remainders.added = matcher.remainders.added, {}
        self._moved_all = len(moved) < MOVED_PER_CHECKPOINT
        self._changed = False
        labels = matcher.labels.by_key
        return JoinDelta(
            rest=self._rest(),
            moved=moved,
            deleted=deleted,
            labels={key: _dump_labels(labels[key]) if key in labels else None for key in changed},
            remainders=remainders,
            remainders_until=self._times[self._labels],
            remainders_since=self._times[self._labels] - self._limits.repeat_window,
        )

    def _rest(self) -> dict[str, Any]:
        recent = BitMap64([half.offset for half in self._matcher.halves.recent.values()])
        restart = recent.min() if recent else self._next[self._predictions]
        return {
            "restart": restart,
            "recent": b64encode(recent.serialize()).decode(),
            "times": self._times,
            "counts": counting.dump(self._counts),
        }

    def _restore(self, whole: JoinWhole) -> None:
        rest, matcher = whole.rest, self._matcher
        self._restart = rest["restart"]
        self._pending = BitMap64.deserialize(b64decode(rest["recent"]))
        self._times.update(rest["times"])
        counting.load(self._counts, rest["counts"])
        matcher.halves.stored.update(whole.stored)
        for key, raw in whole.labels.items():
            matcher.labels.by_key[key] = [_waiting(each) for each in orjson.loads(raw)]
        since = self._times[self._labels] - self._limits.repeat_window
        matcher.remainders.restore(whole.remainders, since)

    def saved(self) -> bool:
        """What was moving is in Redis; True when more waits to move."""
        self._matcher.halves.moved()
        return not self._moved_all

    def waiting(self) -> tuple[int, int, int]:
        """How many predictions, labels and remainders are held."""
        matcher = self._matcher
        return len(matcher.halves), len(matcher.labels), len(matcher.remainders)


MISPLACED: Final = (
    "murmur2 of the prediction id gives another partition: set the producer's partitioner to"
    " murmur2 (librdkafka: partitioner=murmur2_random) and the id as the key"
)


def _outcome(record: Record, read: Callable[[bytes | None], Any]) -> _Known | _Refused:
    try:
        event = read(record.value)
    except Refusal as refusal:
        return _Refused(record, refusal)
    return _Known(record, key_hash(event), event)


def _dump_labels(waiting: Sequence[WaitingLabel]) -> bytes:
    return orjson.dumps([[*each[:5], [list(later) for later in each.corrections]]
                         for each in waiting])  # fmt: skip


def _waiting(fields: Sequence[Any]) -> WaitingLabel:
    prediction_id, model, offset, time, label, corrections = fields
    later = tuple(Later(*each) for each in corrections)
    return WaitingLabel(prediction_id, model, offset, time, label, later)
