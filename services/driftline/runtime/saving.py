"""Save states with their offsets: outputs acknowledged, then the store, then Kafka's offsets.

A state and its offsets belong together: who changes or cuts a state holds its partition's `turn`
from before the first change until the offsets are noted, also while a thread does the work.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Collection, Mapping
from typing import Generic, cast

import structlog

from driftline.runtime import metrics
from driftline.runtime.aside import ended
from driftline.runtime.claims import Claims
from driftline.runtime.ledger import Ledger, Withdrawn
from driftline.runtime.ports import (
    TP,
    Clock,
    Outputs,
    OutputsLostError,
    Payload,
    StateStore,
    Stored,
    StoreUnavailableError,
)
from driftline.runtime.quarantine import Quarantine

log = structlog.get_logger(__name__)

COMMIT_SECONDS = 10.0
MAX_UNSAVED_MS = 30_000  # without a checkpoint for so long, nothing more is applied


class Saving(Generic[Payload]):
    """Takes checkpoints, one at a time."""

    def __init__(
        self,
        ledger: Ledger[Payload],
        claims: Claims[Payload],
        quarantine: Quarantine,
        store: StateStore[Payload] | None,
        outputs: Outputs,
        clock: Clock,
        topic_ids: Mapping[str, str],
    ) -> None:
        self._ledger = ledger
        self._claims = claims
        self._quarantine = quarantine
        self._store = store
        self._outputs = outputs
        self._clock = clock
        self._topic_ids = topic_ids
        self._lock = asyncio.Lock()
        self.turns: dict[int, asyncio.Lock] = defaultdict(asyncio.Lock)  # by partition

    @property
    def is_behind(self) -> bool:
        """Whether nothing more may be applied: what was cannot be saved, or the queue of outputs
        is full."""
        since = self._clock.now() - self._ledger.saved_at
        return self._outputs.is_full or (bool(self._ledger.unsaved) and since > MAX_UNSAVED_MS)

    async def checkpoint(self) -> None:
        """Save every partition that changed."""
        again = True
        while again:
            async with self._lock:
                again = await self._checkpoint(self._ledger.owned)

    async def release(self) -> None:
        """Give all partitions up and save them once more (revoke, SIGTERM)."""
        owned = self._ledger.release()  # before the lock: whoever holds it sees it and hurries
        async with self._lock:
            await self._checkpoint(owned, release=True)

    async def roll_back(self, withdrawn: Withdrawn) -> None:
        """Take the last checkpoint of withdrawn partitions again."""
        async with self._lock:
            await self._claims.take_back(withdrawn)

    async def _checkpoint(self, owned: Collection[TP], *, release: bool = False) -> bool:
        try:
            return await self._save(owned, release=release)
        except OutputsLostError as error:
            log.error("outputs_lost", error=str(error))
            partitions = {tp.partition for tp in owned}
            self._quarantine.forget(partitions)
            await self._claims.take_back(self._ledger.withdraw(partitions))
            return False

    async def _save(self, owned: Collection[TP], *, release: bool) -> bool:
        ledger = self._ledger
        cuts = await self._cuts(owned, release=release)
        if cuts and not await self._outputs.flush():
            log.warning("outputs_unconfirmed")
            return False
        written = await self._write(cuts)
        kept = {partition for partition, is_kept in written.items() if is_kept}
        again = [ledger.states[p].saved() for p in kept if p in ledger.states]
        if refused := set(written) - kept:
            self._lose(refused)
        is_committed = await self._commit([tp for tp in owned if tp.partition not in refused])
        if is_committed and len(written) == len(cuts):
            ledger.saved_at = self._clock.now()
        return any(again)

    async def _cuts(self, owned: Collection[TP], *, release: bool) -> dict[int, Stored[Payload]]:
        """What is to be saved: cuts that were not confirmed yet, and states that changed since."""
        ledger = self._ledger
        partitions = {tp.partition for tp in owned}
        for partition in partitions & set(ledger.states) - set(ledger.unsaved):
            async with self.turns[partition]:
                if partition in ledger.states:
                    await self._cut(partition, owned, release=release)
        return {p: cut for p, cut in ledger.unsaved.items() if p in partitions}

    async def _cut(self, partition: int, owned: Collection[TP], *, release: bool) -> None:
        """In its turn: state and offsets of one moment."""
        ledger = self._ledger
        state = ledger.states[partition]
        read = {tp.topic: ledger.read[tp] for tp in owned if tp.partition == partition}
        offsets = dict(state.offsets(read))
        is_due = state.ready() and (release or state.due())
        if not is_due or (offsets == ledger.saved[partition] and not state.changed()):
            return
        cut = state.cut()
        payload = await self._waited_for(cut) if isinstance(cut, Awaitable) else cut
        ids = {topic: self._topic_ids.get(topic, "") for topic in offsets}
        ledger.unsaved[partition] = Stored(offsets, ids, payload)

    async def _waited_for(self, cut: Awaitable[Payload]) -> Payload:
        payload, error, cancelled = await ended(cut)
        if stopped := cancelled or error:
            raise stopped
        return cast("Payload", payload)

    async def _write(self, cuts: Mapping[int, Stored[Payload]]) -> dict[int, bool]:
        """Which cuts were saved, and which were refused; those that are missing were neither."""
        written: dict[int, bool] = {}
        for partition, cut in cuts.items():
            try:
                written[partition] = await self._write_one(partition, cut)
            except StoreUnavailableError as error:
                log.warning("state_store_unavailable", error=str(error))
                break
        return written

    async def _write_one(self, partition: int, cut: Stored[Payload]) -> bool:
        ledger = self._ledger
        token = ledger.tokens.get(partition, 0)
        if self._store is not None and not await self._store.save(partition, token, cut):
            return False
        ledger.saved[partition] = dict(cut.offsets)
        ledger.unsaved.pop(partition, None)
        self._quarantine.saved(partition, cut.offsets)
        return True

    async def _commit(self, owned: Collection[TP]) -> bool:
        """Commit what is saved; never less than before, or a rebuild would repeat outputs. Whether
        nothing is left to commit."""
        ledger = self._ledger
        saved = {tp: ledger.saved[tp.partition][tp.topic] for tp in owned}
        known = ledger.committed
        offsets = {tp: offset for tp, offset in saved.items() if offset > known.get(tp, 0)}
        if not offsets:
            return True
        try:
            await asyncio.wait_for(ledger.reader.commit(offsets), COMMIT_SECONDS)
        except Exception as error:  # noqa: BLE001 - the saved offsets lead, the next one repeats it
            log.warning("commit_failed", error=repr(error))
            return False
        ledger.committed |= offsets
        metrics.CHECKPOINT_TIMESTAMP.set(self._clock.now() / 1_000)
        return True

    def _lose(self, partitions: Collection[int]) -> None:
        """Somebody else claimed these while we were frozen: drop them and ask for a true share."""
        log.error("checkpoint_refused", partitions=sorted(partitions))
        metrics.CHECKPOINTS_REFUSED.inc(len(partitions))
        self._ledger.withdraw(partitions)
        self._ledger.reader.rejoin()
