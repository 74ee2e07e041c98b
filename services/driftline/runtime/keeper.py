"""Own partitions: open their states, apply records in order, save state with offsets, roll back.

The rules (docs/decisions/0002-batch-runtime.md says why):
- a state and the offsets that it stands for change together, with no await in between;
- a checkpoint is: outputs acknowledged, then state and offsets saved under a fencing token, then
  offsets committed. So what is committed has its outputs, and what is replayed is filtered;
- a handler that raises is rolled back to the last checkpoint and replayed record by record, until
  the record that raises alone goes to the dead letters.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Generic, Protocol

import structlog

from driftline.core.arrival_order import ArrivalOrder
from driftline.runtime import metrics
from driftline.runtime.errors import DriftlineError
from driftline.runtime.ports import (
    TP,
    Claim,
    Clock,
    Open,
    Opening,
    Outputs,
    OutputsLostError,
    PartitionState,
    Payload,
    Reader,
    Record,
    StateStore,
    Stored,
    StoreUnavailableError,
)

log = structlog.get_logger(__name__)

COMMIT_SECONDS = 10.0
STORE_PATIENCE_SECONDS = 60.0
MAX_BUFFERED = 4_000  # records per partition that wait for their turn
MAX_UNSAVED_MS = 30_000  # without a checkpoint for so long, nothing more is read
MAX_POISON_RUN = 100  # so many records in a row that all raise are a bug of ours, not of theirs


class ServiceFailureError(DriftlineError):
    """This process cannot go on; the message says why, in one sentence."""


class PoisonBin(Protocol):
    """Where a record goes that makes the handler raise."""

    def poison(self, tp: TP, record: Record, error: Exception) -> None: ...


class Keeper(Generic[Payload]):
    """The partitions of one process and their states."""

    def __init__(
        self,
        *,
        topics: Collection[str],
        open_state: Open[Payload],
        store: StateStore[Payload] | None,
        outputs: Outputs,
        poison: PoisonBin,
        clock: Clock,
        topic_ids: Mapping[str, str],
        order: ArrivalOrder[TP, Record],
    ) -> None:
        self.topics = frozenset(topics)
        self.states: dict[int, PartitionState[Payload]] = {}
        self.read: dict[TP, int] = {}
        self.times: dict[TP, int] = {}  # running maximum of append times applied
        self.tokens: dict[int, int] = {}
        self.owned: frozenset[TP] = frozenset()
        self.saved_at = clock.now()
        self.progress_at = clock.now()
        self.reader: Reader
        self._open_state = open_state
        self._store = store
        self._outputs = outputs
        self._poison = poison
        self._clock = clock
        self._topic_ids = topic_ids
        self._order = order
        self._epoch = 0
        self._lock = asyncio.Lock()
        self._saved: dict[int, Mapping[str, int]] = {}
        self._unsaved: dict[int, Stored[Payload]] = {}
        self._holes: dict[TP, int] = {}
        self._careful: dict[TP, int] = {}
        self._bad: set[tuple[TP, int]] = set()
        self._poison_run = 0
        self._silent: frozenset[TP] = frozenset()  # asked for records, gave none

    # -- owning ---------------------------------------------------------------------------------

    async def assign(self, tps: Iterable[TP]) -> Mapping[TP, int]:
        """Claim partitions; where to read each on. Called after every assignment."""
        mine = frozenset(TP(*tp) for tp in tps if tp[0] in self.topics)
        partitions = {tp.partition for tp in mine}
        epoch = self._epoch
        self.owned -= mine
        self._order.clear()
        for partition in set(self.states) - partitions:
            self._forget(partition)
        for partition in sorted(partitions):
            await self._claim(partition, mine, trust_memory=True)
            if self._epoch != epoch:
                return {}  # revoked meanwhile: the next assignment claims anew
        self.owned = mine
        self.saved_at = self.progress_at = self._clock.now()
        metrics.PARTITIONS_OWNED.set(len(partitions))
        return {tp: self.read[tp] for tp in mine}

    def _forget(self, partition: int) -> None:
        self.states.pop(partition, None)
        self._unsaved.pop(partition, None)

    async def _claim(self, partition: int, mine: Collection[TP], *, trust_memory: bool) -> None:
        tps = [tp for tp in mine if tp.partition == partition]
        if self._store is None:
            await self._start(partition, tps, None)
            return
        known = self.tokens.get(partition) if trust_memory and partition in self.states else None
        claim = await self._patiently(self._store, partition, known)
        self.tokens[partition] = claim.token
        if not claim.memory_is_current:
            await self._start(partition, tps, claim.stored)
        for tp in tps:
            self._holes.pop(tp, None)

    async def _start(
        self, partition: int, tps: Collection[TP], stored: Stored[Payload] | None
    ) -> None:
        """Build the state from what is stored; with nothing stored, rebuild it from the topics."""
        self._forget(partition)
        committed = {tp.topic: await self.reader.committed(tp) or 0 for tp in tps}
        if stored is not None:
            self._check_topic_ids(stored)
        fresh = dict.fromkeys(committed, 0) if self._store else committed
        offsets = {**fresh, **stored.offsets} if stored else fresh
        rebuild = self._store is not None and stored is None and any(committed.values())
        if rebuild:
            log.warning("state_is_rebuilt", partition=partition, up_to=committed)
        ends = await self.reader.end(tps)
        state = await self._open_state(
            Opening(
                partition=partition,
                payload=stored.payload if stored else None,
                offsets=offsets,
                committed=committed if rebuild else {},
                end={tp.topic: end for tp, end in ends.items()},
            )
        )
        self.states[partition] = state
        self._saved[partition] = offsets
        start = state.start(offsets)
        for tp in tps:
            self.read[tp] = start[tp.topic]
            self.times.pop(tp, None)

    def _check_topic_ids(self, stored: Stored[Payload]) -> None:
        for topic, known in stored.topic_ids.items():
            if known != self._topic_ids.get(topic, known):
                raise ServiceFailureError(
                    f"topic {topic} was deleted and created again since the last checkpoint: its"
                    " offsets mean other records now, so delete this group's state and offsets"
                )

    async def _patiently(
        self, store: StateStore[Payload], partition: int, known: int | None
    ) -> Claim[Payload]:
        """Claim, retrying while the store does not answer; after a minute give up and exit."""
        give_up = self._clock.now() + int(STORE_PATIENCE_SECONDS * 1_000)
        while True:
            try:
                return await store.claim(partition, known)
            except StoreUnavailableError as error:
                if self._clock.now() > give_up:
                    raise ServiceFailureError(f"the state store does not answer: {error}") from None
                log.warning("state_store_unavailable", error=str(error))
                await asyncio.sleep(1.0)

    # -- applying -------------------------------------------------------------------------------

    def wanted(self, assigned: Collection[TP]) -> set[TP]:
        """Which partitions to fetch from now; the others have enough waiting here."""
        if self._clock.now() - self.saved_at > MAX_UNSAVED_MS and self._unsaved:
            return set()
        hungry = {tp for tp in assigned if self._order.buffered(TP(*tp)) < MAX_BUFFERED}
        if any(self._order.buffered(tp) for tp in self.owned):
            hungry = {tp for tp in hungry if not self._order.buffered(TP(*tp))}
        return hungry

    async def process(self, asked: Collection[TP], batches: Mapping[TP, Sequence[Record]]) -> None:
        """Apply what one poll brought, the oldest append time first."""
        brought = {TP(*tp) for tp in batches}
        for tp, records in batches.items():
            if tp in self.owned:
                self._order.add(TP(*tp), records)
        self._silent = (self._silent | {TP(*tp) for tp in asked}) - brought
        while (chunk := self._order.next(self._lagging())) is not None:
            await self._apply(*chunk)
            state = self.states.get(chunk[0].partition)
            if state is not None and state.full():
                await self.checkpoint()
            await asyncio.sleep(0)

    def _lagging(self) -> dict[TP, int]:
        """Partitions with unread records, and how far each has come; not those that gave none."""
        return {
            tp: self.times.get(tp, 0)
            for tp in self.owned
            if tp not in self._silent and self.lag(tp) > 0 and not self._order.buffered(tp)
        }

    def lag(self, tp: TP) -> int:
        """Records of the partition that are not applied yet."""
        return max(0, (self.reader.highwater(tp) or 0) - self.read.get(tp, 0))

    async def _apply(self, tp: TP, records: list[Record]) -> None:
        while records and tp in self.owned:
            expected = self.read[tp]
            if records[0].offset < expected:  # replayed by Kafka: already in the state
                records = [r for r in records if r.offset >= expected]
                continue
            if records[0].offset > expected and self._holes.get(tp) != expected:
                self._holes[tp] = expected  # ask Kafka once more, then believe the hole
                self._order.drop([tp])
                await self._seek({tp: expected})
                return
            careful = expected < self._careful.get(tp, 0)
            chunk, records = (records[:1], records[1:]) if careful else (records, [])
            if not await self._apply_chunk(tp, expected, chunk):
                return

    async def _apply_chunk(self, tp: TP, expected: int, chunk: Sequence[Record]) -> bool:
        """Fold one chunk in; False when it was rolled back or lost to another owner."""
        state, epoch = self.states[tp.partition], self._epoch
        good = [r for r in chunk if (tp, r.offset) not in self._bad] if self._bad else chunk
        try:
            await state.prepare(tp.topic, good)
            if self._epoch != epoch or self.states.get(tp.partition) is not state:
                return False
            state.apply(tp.topic, good)
        except StoreUnavailableError as error:
            log.warning("state_store_unavailable", error=str(error))
            await self._reread(tp, expected)
            return False
        except Exception as error:  # noqa: BLE001 - the one place that decides a record's fate
            await self._isolate(tp, good, error)
            return False
        self._note(tp, expected, chunk)  # no await between apply and here
        return True

    def _note(self, tp: TP, expected: int, chunk: Sequence[Record]) -> None:
        end = chunk[-1].offset + 1
        if lost := end - expected - len(chunk):
            metrics.RECORDS_LOST.labels(tp.topic).inc(lost)
            log.error("records_missing", topic=tp.topic, partition=tp.partition, records=lost)
        self.read[tp] = end
        newest = max(record.timestamp for record in chunk)
        self.times[tp] = max(self.times.get(tp, 0), newest)
        self.progress_at = self._clock.now()
        self._poison_run = 0
        metrics.RECORDS_APPLIED.labels(tp.topic).inc(len(chunk))

    async def _reread(self, tp: TP, expected: int) -> None:
        """Nothing was applied: fetch the same records again, a little later."""
        await asyncio.sleep(1.0)
        self._order.drop([tp])
        await self._seek({tp: expected})

    async def _isolate(self, tp: TP, records: Sequence[Record], error: Exception) -> None:
        """Roll the partition back; a record that raises alone goes to the dead letters."""
        log.error("handler_failed", topic=tp.topic, partition=tp.partition, exc_info=error)
        metrics.HANDLER_FAILURES.labels(tp.topic).inc()
        self._careful[tp] = max(self._careful.get(tp, 0), records[-1].offset + 1)
        if len(records) == 1:
            self._bad.add((tp, records[0].offset))
            self._poison.poison(tp, records[0], error)
            self._poison_run += 1
            if self._poison_run > MAX_POISON_RUN:
                raise ServiceFailureError(
                    f"{MAX_POISON_RUN} records of {tp.topic} in a row could not be handled"
                ) from error
        async with self._lock:
            await self._roll_back({tp.partition})

    async def _roll_back(self, partitions: Collection[int]) -> None:
        """Forget memory and take the last checkpoint again (lock held)."""
        mine = {tp for tp in self.owned if tp.partition in partitions}
        epoch = self._epoch
        self.owned -= mine
        self._order.drop(mine)
        for partition in partitions:
            await self._claim(partition, mine, trust_memory=False)
            if self._epoch != epoch:
                return
        self.owned |= mine
        await self._seek({tp: self.read[tp] for tp in mine})

    async def _seek(self, offsets: Mapping[TP, int]) -> None:
        epoch = self._epoch
        try:
            await self.reader.seek(offsets)
        except Exception:
            if self._epoch == epoch:
                raise
            # A partition was revoked meanwhile: the next assignment seeks.

    # -- saving ---------------------------------------------------------------------------------

    async def checkpoint(self, *, release: bool = False) -> None:
        """Save every partition that changed; `release` gives all of them up (revoke, SIGTERM)."""
        again = True
        while again:
            async with self._lock:
                again = await self._checkpoint(release=release) and not release

    async def _checkpoint(self, *, release: bool) -> bool:
        owned = self.owned
        if release:
            self.owned, self._epoch = frozenset(), self._epoch + 1
            self._order.clear()
        try:
            return await self._save(owned)
        except OutputsLostError as error:
            log.error("outputs_lost", error=str(error))
            if release:
                self.states.clear()  # the next owner, even if it is us, takes the last checkpoint
            else:
                await self._roll_back({tp.partition for tp in owned})
        return False

    async def _save(self, owned: Collection[TP]) -> bool:
        cuts = self._cut(owned)  # no await: states and offsets of one moment
        if not cuts:
            self.saved_at = self._clock.now()
            return False
        if not await self._outputs.flush():
            log.warning("outputs_unconfirmed")
            return False
        try:
            refused = {p for p, cut in cuts.items() if not await self._write(p, cut)}
        except StoreUnavailableError as error:
            log.warning("state_store_unavailable", error=str(error))
            return False
        again = [self.states[p].saved() for p in cuts if p not in refused and p in self.states]
        self.saved_at = self._clock.now()
        await self._commit({p: cut for p, cut in cuts.items() if p not in refused}, owned)
        if refused:
            self._lose(refused)
        return any(again)

    def _cut(self, owned: Collection[TP]) -> dict[int, Stored[Payload]]:
        """What is to be saved: cuts that were not confirmed yet, and states that changed since."""
        for partition in {tp.partition for tp in owned} - set(self._unsaved):
            state = self.states[partition]
            read = {tp.topic: self.read[tp] for tp in owned if tp.partition == partition}
            offsets = state.offsets(read)
            if state.ready() and (offsets != self._saved[partition] or state.changed()):
                ids = {topic: self._topic_ids.get(topic, "") for topic in offsets}
                self._unsaved[partition] = Stored(dict(offsets), ids, state.cut())
        return dict(self._unsaved)

    async def _write(self, partition: int, cut: Stored[Payload]) -> bool:
        token = self.tokens.get(partition, 0)
        if self._store is not None and not await self._store.save(partition, token, cut):
            return False
        self._saved[partition] = cut.offsets
        self._unsaved.pop(partition, None)
        return True

    async def _commit(self, cuts: Mapping[int, Stored[Payload]], owned: Collection[TP]) -> None:
        offsets = {tp: cuts[tp.partition].offsets[tp.topic] for tp in owned if tp.partition in cuts}
        if not offsets:
            return
        try:
            await asyncio.wait_for(self.reader.commit(offsets), COMMIT_SECONDS)
        except Exception as error:  # noqa: BLE001 - the saved offsets lead, these are for lag
            log.warning("commit_failed", error=repr(error))
        else:
            metrics.CHECKPOINT_TIMESTAMP.set(self._clock.now() / 1_000)

    def _lose(self, partitions: Collection[int]) -> None:
        """Somebody else claimed these while we were frozen: drop them and ask for a true share."""
        log.error("checkpoint_refused", partitions=sorted(partitions))
        metrics.CHECKPOINTS_REFUSED.inc(len(partitions))
        lost = {tp for tp in self.owned if tp.partition in partitions}
        self.owned -= lost
        self._order.drop(lost)
        for partition in partitions:
            self._forget(partition)
        self.reader.rejoin()

    async def still_owned(self) -> set[int]:
        """The partitions that nobody else has claimed, as the store says now."""
        mine = {tp.partition for tp in self.owned}
        if self._store is None:
            return mine
        return await self._store.still_owned({p: self.tokens[p] for p in mine})
