"""Own partitions: raise the fencing token; keep the memory, load what is stored, or rebuild."""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from typing import Generic

import structlog

from driftline.runtime import metrics
from driftline.runtime.errors import DriftlineError
from driftline.runtime.ledger import Ledger, Withdrawn
from driftline.runtime.ports import (
    TP,
    Claim,
    Clock,
    Open,
    Opening,
    Payload,
    StateStore,
    Stored,
    StoreUnavailableError,
)

log = structlog.get_logger(__name__)

STORE_PATIENCE_SECONDS = 60.0
RETRY_SECONDS = 1.0


class ServiceFailureError(DriftlineError):
    """This process cannot go on; the message says why, in one sentence."""


class Claims(Generic[Payload]):
    """Brings the states of partitions into the ledger."""

    def __init__(
        self,
        ledger: Ledger[Payload],
        open_state: Open[Payload],
        store: StateStore[Payload] | None,
        clock: Clock,
        topic_ids: Mapping[str, str],
    ) -> None:
        self._ledger = ledger
        self._open_state = open_state
        self._store = store
        self._clock = clock
        self._topic_ids = topic_ids

    async def assign(self, tps: Iterable[TP]) -> Mapping[TP, int]:
        """Claim partitions; where to read each on. Empty when they were revoked meanwhile."""
        ledger = self._ledger
        mine = frozenset(TP(*tp) for tp in tps if tp[0] in ledger.topics)
        partitions = {tp.partition for tp in mine}
        ledger.owned -= mine
        ledger.order.clear()
        for partition in set(ledger.states) - partitions:
            ledger.forget(partition)
        if not await self._claim_all(mine, ledger.epoch, trust_memory=True):
            return {}
        ledger.owned = mine
        ledger.saved_at = ledger.progress_at = self._clock.now()
        metrics.PARTITIONS_OWNED.set(len(partitions))
        return {tp: ledger.read[tp] for tp in mine}

    async def take_back(self, withdrawn: Withdrawn) -> None:
        """Claim again what was withdrawn, from the last checkpoint; not if it was revoked since."""
        ledger = self._ledger
        if not await self._claim_all(withdrawn.tps, withdrawn.epoch, trust_memory=False):
            return
        ledger.owned |= withdrawn.tps
        await self.seek({tp: ledger.read[tp] for tp in withdrawn.tps}, withdrawn.epoch)

    async def seek(self, offsets: Mapping[TP, int], epoch: int) -> None:
        """Read on from there, unless revoked since `epoch`: then the next assignment seeks."""
        ledger = self._ledger
        if not offsets or ledger.epoch != epoch:
            return
        try:
            await ledger.reader.seek(offsets)
        except Exception:
            if ledger.epoch == epoch:
                raise

    async def _claim_all(self, mine: Collection[TP], epoch: int, *, trust_memory: bool) -> bool:
        """False when partitions were revoked meanwhile: the next assignment claims anew."""
        ledger = self._ledger
        new: dict[int, Stored[Payload] | None] = {}
        for partition in sorted({tp.partition for tp in mine}):
            if ledger.epoch != epoch:
                return False
            claim = await self._claim(partition, epoch, trust_memory=trust_memory)
            if claim is not None and not claim.memory_is_current:
                ledger.forget(partition)  # now: we may be interrupted before it is started
                new[partition] = claim.stored
        bounds = await self._bounds([tp for tp in mine if tp.partition in new])
        for partition, stored in new.items():
            if ledger.epoch != epoch:
                return False
            tps = [tp for tp in mine if tp.partition == partition]
            await self._start(partition, tps, stored, bounds)
        return ledger.epoch == epoch

    async def _claim(
        self, partition: int, epoch: int, *, trust_memory: bool
    ) -> Claim[Payload] | None:
        """None when partitions were revoked meanwhile."""
        ledger = self._ledger
        if self._store is None:
            return Claim(0, memory_is_current=False, stored=None)
        is_known = trust_memory and partition in ledger.states
        known = ledger.tokens.get(partition) if is_known else None
        claim = await self._patiently(self._store, partition, known, epoch)
        if claim is not None:
            ledger.tokens[partition] = claim.token
        return claim

    async def _bounds(self, tps: Collection[TP]) -> Mapping[TP, tuple[int, int]]:
        """First and next offset of each. Asked for all at once: each call waits behind a fetch."""
        if not tps:
            return {}
        reader = self._ledger.reader
        begin, end = await reader.begin(tps), await reader.end(tps)
        return {tp: (begin[tp], end[tp]) for tp in tps}

    async def _patiently(
        self, store: StateStore[Payload], partition: int, known: int | None, epoch: int
    ) -> Claim[Payload] | None:
        """Claim, retrying while the store does not answer; after a minute give up and exit.

        None when partitions were revoked while we waited.
        """
        give_up = self._clock.now() + int(STORE_PATIENCE_SECONDS * 1_000)
        while self._ledger.epoch == epoch:
            try:
                return await store.claim(partition, known)
            except StoreUnavailableError as error:
                if self._clock.now() > give_up:
                    raise ServiceFailureError(f"the state store does not answer: {error}") from None
                log.warning("state_store_unavailable", error=str(error))
                await asyncio.sleep(RETRY_SECONDS)
        return None

    async def _start(
        self,
        partition: int,
        tps: Collection[TP],
        stored: Stored[Payload] | None,
        bounds: Mapping[TP, tuple[int, int]],
    ) -> None:
        """Build the state from what is stored; with nothing stored, rebuild it from the topics."""
        ledger, reader = self._ledger, self._ledger.reader
        ledger.forget(partition)
        if stored is not None:
            self._check_topic_ids(stored)
        committed = {tp.topic: await reader.committed(tp) or 0 for tp in tps}
        offsets = {tp.topic: bounds[tp][0] for tp in tps}
        if self._store is None:
            offsets = {topic: max(offset, committed[topic]) for topic, offset in offsets.items()}
        elif stored is not None:
            offsets |= stored.offsets
        written = any(offsets[topic] < offset for topic, offset in committed.items())
        if written:  # the outputs up to there are in Kafka: the state store has lost its state
            log.warning("state_is_rebuilt", partition=partition, up_to=committed)
        opening = Opening(
            partition=partition,
            payload=stored.payload if stored else None,
            offsets=offsets,
            committed=committed if written else {},
            end={tp.topic: bounds[tp][1] for tp in tps},
        )
        state = await self._open_state(opening)
        ledger.states[partition], ledger.saved[partition] = state, offsets
        start = state.start(offsets)
        for tp in tps:
            ledger.read[tp] = start[tp.topic]
            ledger.committed[tp] = committed[tp.topic]
            ledger.times.pop(tp, None)

    def _check_topic_ids(self, stored: Stored[Payload]) -> None:
        for topic, known in stored.topic_ids.items():
            if known != self._topic_ids.get(topic, known):
                raise ServiceFailureError(
                    f"topic {topic} was deleted and created again since the last checkpoint: its"
                    " offsets mean other records now, so delete this group's state and offsets"
                )
