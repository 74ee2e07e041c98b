"""Save states with their offsets: outputs acknowledged, then the store, then Kafka's offsets."""

import asyncio
from collections.abc import Collection, Mapping
from typing import Generic

import structlog

from driftline.runtime import metrics
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
        cuts = self._cut(owned, release=release)  # no await: states and offsets of one moment
        if cuts and not await self._outputs.flush():
            log.warning("outputs_unconfirmed")
            return False
        written = await self._write(cuts)
        if len(written) == len(cuts):
            ledger.saved_at = self._clock.now()
        kept = {partition for partition, is_kept in written.items() if is_kept}
        again = [ledger.states[p].saved() for p in kept if p in ledger.states]
        if refused := set(written) - kept:
            self._lose(refused)
        await self._commit([tp for tp in owned if tp.partition not in refused])
        return any(again)

    def _cut(self, owned: Collection[TP], *, release: bool) -> dict[int, Stored[Payload]]:
        """What is to be saved: cuts that were not confirmed yet, and states that changed since."""
        ledger = self._ledger
        partitions = {tp.partition for tp in owned}
        for partition in partitions & set(ledger.states) - set(ledger.unsaved):
            state = ledger.states[partition]
            read = {tp.topic: ledger.read[tp] for tp in owned if tp.partition == partition}
            offsets = dict(state.offsets(read))
            is_due = state.ready() and (release or state.due())
            if is_due and (offsets != ledger.saved[partition] or state.changed()):
                ids = {topic: self._topic_ids.get(topic, "") for topic in offsets}
                ledger.unsaved[partition] = Stored(offsets, ids, state.cut())
        return {p: cut for p, cut in ledger.unsaved.items() if p in partitions}

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

    async def _commit(self, owned: Collection[TP]) -> None:
        """Commit what is saved; never less than before, or a rebuild would repeat outputs."""
        ledger = self._ledger
        saved = {tp: ledger.saved[tp.partition][tp.topic] for tp in owned}
        known = ledger.committed
        offsets = {tp: offset for tp, offset in saved.items() if offset > known.get(tp, 0)}
        if not offsets:
            return
        try:
            await asyncio.wait_for(ledger.reader.commit(offsets), COMMIT_SECONDS)
        except Exception as error:  # noqa: BLE001 - the saved offsets lead, the next one repeats it
            log.warning("commit_failed", error=repr(error))
        else:
            ledger.committed |= offsets
            metrics.CHECKPOINT_TIMESTAMP.set(self._clock.now() / 1_000)

    def _lose(self, partitions: Collection[int]) -> None:
        """Somebody else claimed these while we were frozen: drop them and ask for a true share."""
        log.error("checkpoint_refused", partitions=sorted(partitions))
        metrics.CHECKPOINTS_REFUSED.inc(len(partitions))
        self._ledger.withdraw(partitions)
        self._ledger.reader.rejoin()
