"""One partition of predictions and labels: fold records in, save what changed, take it back."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Protocol

import structlog
import xxhash

from driftline.core.joining import counting
from driftline.core.joining.counting import SegmentCounts
from driftline.core.joining.envelope import read_prediction
from driftline.core.joining.halves import Half, Place
from driftline.core.joining.matching import Limits, Matcher, Silence
from driftline.joiner import snapshot
from driftline.joiner.bins import BinsInForce
from driftline.joiner.expiry import Expiry
from driftline.joiner.journal import JournalWriter, KnownBodies
from driftline.joiner.reading import Envelopes, key_hash
from driftline.joiner.snapshot import MOVED_PER_CHECKPOINT, Overlay, Progress
from driftline.joiner.store import JoinDelta, JoinPayload, JoinWhole
from driftline.runtime import metrics
from driftline.runtime.dead_letters import DeadLetters
from driftline.runtime.ports import Opening, Record
from driftline.runtime.registry_gate import wait_until_known
from driftline_schemas.topics import LABELS, PREDICTIONS

log = structlog.get_logger(__name__)

CHANGES_PER_CHECKPOINT: Final = 2_000


class StoredHalves(Protocol):
    """Where halves are that wait no longer in memory."""

    async def fetch(self, partition: int, places: Sequence[Place]) -> dict[int, Half]:
        """The halves at `places` by key hash; StoreUnavailableError when there is no answer."""


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
        store: StoredHalves,
        bins: BinsInForce,
        dead_letters: DeadLetters,
    ) -> None:
        self.partition = opening.partition
        self._predictions = PREDICTIONS.full_name(prefix)
        self._labels = LABELS.full_name(prefix)
        self._overlay = overlay
        self._store, self._bins = store, bins
        offsets = dict(opening.offsets)
        self._progress = Progress(
            offsets, dict.fromkeys(offsets, 0), restart=offsets[self._predictions]
        )
        self._committed = dict(opening.committed)
        self._moved_all = True
        self._envelopes = Envelopes(self.partition, self._predictions, dead_letters)
        writer = JournalWriter(
            dead_letters.outputs, prefix, self.partition, pane_seconds, self._counts_are_silent
        )
        silent = [self._committed.get(topic, 0) for topic in (self._predictions, self._labels)]
        self._matcher = Matcher(
            limits, writer, KnownBodies(xxhash.xxh3_64_intdigest), Silence(*silent)
        )
        self._counts = SegmentCounts(
            pane_ms=pane_seconds * 1_000,
            horizon_ms=limits.horizon,
            bins_of=bins.of,
            send=writer.counts,
            skewed_by=lambda name: metrics.SKEWED.labels(metrics.bounded(name[:64])).inc(),
        )
        self._counts_were_silent = self._counts_are_silent()
        self._expiry = Expiry(
            self._matcher, self._progress, self._predictions, self._labels, self._fetch
        )
        if isinstance(opening.payload, JoinWhole):
            snapshot.restore(opening.payload, self._matcher, self._counts, self._progress)

    # -- reading --------------------------------------------------------------------------------

    def start(self, offsets: Mapping[str, int]) -> Mapping[str, int]:
        """Predictions that waited only in memory are read again from the first of them."""
        return {**offsets, self._predictions: self._progress.restart}

    async def prepare(self, topic: str, records: Sequence[Record]) -> None:
        """Have the bins that may be in force, and the stored halves that the records name."""
        if topic == self._predictions:
            await wait_until_known(self._bins.known_for, max(r.timestamp for r in records))
        await self._fetch(self._envelopes.keys(topic, records))

    async def _fetch(self, keys: Iterable[int]) -> None:
        """Have the stored halves of `keys` at hand until the next await."""
        halves = self._matcher.halves
        while places := halves.unfetched(keys):  # others may add to them, or use up what was there
            found = await self._store.fetch(self.partition, places)
            halves.fetched.update(found)
            for key, time in places:
                if key not in found and halves.stored.get(key) == time:
                    log.error("stored_half_missing", partition=self.partition)
                    del halves.stored[key]  # deleted from Redis by hand: it can never be joined

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
        if self._committed:
            self._expiry.rebuilding()
        progress, newest = self._progress, max(record.timestamp for record in records)
        progress.next[topic] = records[-1].offset + 1
        progress.times[topic] = max(progress.times[topic], newest)
        self._resend_counts_once()
        if self._committed and not self._rebuilding():
            self._committed.clear()

    def _apply_predictions(self, records: Sequence[Record]) -> None:
        first: list[counting.Seen] = []
        silent_below = self._committed.get(self._predictions, 0)
        for record, key, event in self._envelopes.judged(self._predictions, records, silent_below):
            half = Half(record.offset, record.timestamp, record.value or b"")
            seen = self._matcher.prediction(key, half, event)
            if seen == "new":
                first.append(counting.Seen(record.offset, record.timestamp, event))
            elif seen == "conflict":
                metrics.REPEAT_CONFLICTS.inc()
            else:
                metrics.REPEATS.labels("prediction").inc()
        self._count(first, silent_below)

    def _count(self, first: Sequence[counting.Seen], silent_below: int) -> None:
        """Count, and where a rebuild passes what was committed, begin to write there."""
        old = [seen for seen in first if seen.offset < silent_below]
        self._counts.add(old)
        if len(old) < len(first):
            reached = self._progress.next
            reached[self._predictions] = max(reached[self._predictions], silent_below)
            self._resend_counts_once()
            self._counts.add(first[len(old) :])

    def _resend_counts_once(self) -> None:
        """At the end of the silent part: what the open segment had not sent is not known."""
        if self._counts_were_silent and not self._counts_are_silent():
            self._counts_were_silent = False
            self._counts.resend()

    def _apply_labels(self, records: Sequence[Record]) -> None:
        silent_below = self._committed.get(self._labels, 0)
        for record, key, event in self._envelopes.judged(self._labels, records, silent_below):
            if self._matcher.label(key, record.offset, record.timestamp, event) == "repeat":
                metrics.REPEATS.labels("label").inc()

    # -- recovery -------------------------------------------------------------------------------

    def ready(self) -> bool:
        """False while predictions that waited in memory are being read again."""
        return not self._progress.pending

    def due(self) -> bool:
        """Only changes are written."""
        return True

    def busy_at(self) -> int:
        """Nothing takes long."""
        return 0

    def _reread(self, records: Sequence[Record]) -> Sequence[Record]:
        """Let records from before the checkpoint wait again, if they did; returns the others."""
        done, pending = self._progress.next[self._predictions], self._progress.pending
        if records[0].offset < done:
            for record in records:
                if record.offset < done and record.offset in pending:
                    event = read_prediction(record.value)
                    half = Half(record.offset, record.timestamp, record.value or b"")
                    self._matcher.wait(key_hash(event), half, event)
                    pending.remove(record.offset)
        if records[-1].offset + 1 >= done:
            pending.clear()  # anything still named there is gone from Kafka
        return [r for r in records if r.offset >= done] if records[0].offset < done else records

    def _rebuilding(self) -> bool:
        reached = self._progress.next
        return any(reached[topic] < offset for topic, offset in self._committed.items())

    def _counts_are_silent(self) -> bool:
        return self._progress.next[self._predictions] < self._committed.get(self._predictions, 0)

    # -- time -----------------------------------------------------------------------------------

    def time(self, topic: str) -> int:
        """The running maximum of append times (ms) of a topic's partition."""
        return self._progress.times[topic]

    def send_counts(self) -> None:
        """Write the counts that changed."""
        self._counts.flush()

    async def expire(self, idle_clock: Mapping[str, int]) -> None:
        """Report halves whose partner did not come; `idle_clock`: the time (ms) of idle topics."""
        if self.ready():
            await self._expiry.run(idle_clock, silent=self._rebuilding())

    # -- saving ---------------------------------------------------------------------------------

    def changed(self) -> bool:
        """Expiry changes the state without a record; and more may wait to move."""
        return self._expiry.changed or not self._moved_all or bool(self._matcher.labels.changed)

    def offsets(self, read: Mapping[str, int]) -> Mapping[str, int]:
        """While predictions are read again, the checkpoint still stands where it stood."""
        return {topic: max(offset, self._progress.next[topic]) for topic, offset in read.items()}

    def full(self) -> bool:
        """Enough has changed for a checkpoint now."""
        matcher = self._matcher
        changes = len(matcher.halves.deleted) + len(matcher.labels.changed)
        return changes >= CHANGES_PER_CHECKPOINT

    def cut(self) -> JoinDelta:
        """Freeze what changed, and move what has waited long in memory."""
        delta = snapshot.cut(
            self._matcher, self._counts, self._progress, self._predictions, self._labels,
            self._overlay,
        )  # fmt: skip
        self._moved_all = len(delta.moved) < MOVED_PER_CHECKPOINT
        self._expiry.changed = False
        return delta

    def saved(self) -> bool:
        """What was moving is in Redis; True when more waits to move."""
        self._matcher.halves.moved()
        return not self._moved_all

    def waiting(self) -> tuple[int, int, int]:
        """How many predictions, labels and remainders are held."""
        matcher = self._matcher
        return len(matcher.halves), len(matcher.labels), len(matcher.remainders)
