"""Apply records in order: filter replays, ask for holes, roll back and isolate what raises."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Generic, Protocol

import structlog

from driftline.runtime import metrics
from driftline.runtime.aside import Ended, ended
from driftline.runtime.claims import Claims, ServiceFailureError
from driftline.runtime.ledger import Ledger, Withdrawn
from driftline.runtime.ports import (
    TP,
    Clock,
    PartitionState,
    Payload,
    Record,
    StoreUnavailableError,
)
from driftline.runtime.quarantine import Quarantine
from driftline.runtime.saving import Saving

log = structlog.get_logger(__name__)

MAX_BUFFERED = 4_000  # records per partition that wait for their turn
MAX_POISON_RUN = 100  # so many records in a row that all raise are a bug of ours, not of theirs
REREAD_SECONDS = 1.0
DONE = Ended[None](None, None, None)


class PoisonBin(Protocol):
    """Where a record goes that makes the handler raise."""

    def poison(self, tp: TP, record: Record, error: Exception) -> None: ...


class Applying(Generic[Payload]):
    """Folds what was fetched into the states of the ledger."""

    def __init__(
        self,
        ledger: Ledger[Payload],
        claims: Claims[Payload],
        saving: Saving[Payload],
        quarantine: Quarantine,
        poison: PoisonBin,
        clock: Clock,
    ) -> None:
        self._ledger = ledger
        self._claims = claims
        self._saving = saving
        self._quarantine = quarantine
        self._poison = poison
        self._clock = clock
        self._holes: dict[TP, tuple[int, int]] = {}  # asked for once: (epoch, offset)
        self._silent: frozenset[TP] = frozenset()  # asked for records, gave none

    def wanted(self, assigned: Collection[TP]) -> set[TP]:
        """Which partitions to fetch from now; the others have enough waiting here."""
        ledger = self._ledger
        if self._saving.is_behind:
            return set()
        waiting = {tp: ledger.order.buffered(tp) for tp in map(TP._make, assigned)}
        if any(waiting[tp] for tp in waiting if tp in ledger.owned):
            return {tp for tp, records in waiting.items() if not records}
        return {tp for tp, records in waiting.items() if records < MAX_BUFFERED}

    async def process(self, asked: Collection[TP], batches: Mapping[TP, Sequence[Record]]) -> None:
        """Apply what one poll brought, the oldest append time first."""
        ledger = self._ledger
        self._hear(asked, batches)
        for tp, records in batches.items():
            if tp in ledger.owned:
                ledger.order.add(TP(*tp), records)
        while (
            not self._saving.is_behind and (chunk := ledger.order.next(self._lagging())) is not None
        ):
            await self._apply(*chunk)
            state = ledger.states.get(chunk[0].partition)
            is_saving = chunk[0].partition in ledger.unsaved  # a cut waits: another adds nothing
            if state is not None and state.full() and not is_saving:
                await self._saving.checkpoint()
            await asyncio.sleep(0)

    def _hear(self, asked: Collection[TP], batches: Mapping[TP, Sequence[Record]]) -> None:
        """A poll that ran out of time brought nothing: those asked are silent until they speak.

        A poll that brought something says nothing about the rest: it ends with what is there.
        """
        if not batches:
            self._silent |= {TP(*tp) for tp in asked}
        self._silent -= {TP(*tp) for tp in batches}

    def _lagging(self) -> dict[TP, int]:
        """Partitions with unread records, and how far each has come; not those that gave none."""
        ledger = self._ledger
        return {
            tp: ledger.times.get(tp, 0)
            for tp in ledger.owned
            if tp not in self._silent and ledger.lag(tp) > 0 and not ledger.order.buffered(tp)
        }

    async def _apply(self, tp: TP, records: Sequence[Record]) -> None:
        ledger = self._ledger
        while records and tp in ledger.owned:
            expected = ledger.read[tp]
            if records[0].offset < expected:  # replayed by Kafka: already in the state
                records = [r for r in records if r.offset >= expected]
                continue
            hole = (ledger.epoch, expected)
            if records[0].offset > expected and self._holes.get(tp) != hole:
                self._holes[tp] = hole  # ask Kafka once more, then believe the hole
                await self._reread(tp, expected, ledger.epoch)
                return
            alone = self._quarantine.is_suspected(tp, expected)
            chunk, records = (records[:1], records[1:]) if alone else (records, [])
            if not await self._apply_chunk(tp, expected, chunk):
                return

    async def _apply_chunk(self, tp: TP, expected: int, chunk: Sequence[Record]) -> bool:
        """Fold one chunk in; False when it was rolled back or lost to another owner."""
        ledger = self._ledger
        state, epoch = ledger.states[tp.partition], ledger.epoch
        good = self._quarantine.good(tp, chunk)
        try:
            if good:
                await state.prepare(tp.topic, good)
        except StoreUnavailableError as error:
            log.warning("state_store_unavailable", error=str(error))
            ledger.progress_at = self._clock.now()  # it is known what is waited for
            await asyncio.sleep(REREAD_SECONDS)
            await self._reread(tp, expected, epoch)
            return False
        except Exception as error:  # noqa: BLE001 - `_isolate` decides a record's fate
            if self._is_ours(tp, state, epoch):
                await self._isolate(tp, good, error, ledger.withdraw({tp.partition}))
            return False
        async with self._saving.turns[tp.partition]:
            if not self._is_ours(tp, state, epoch):
                return False
            _, failure, cancelled = await _applied(state, tp.topic, good)
            withdrawn = self._settle(tp, state, expected, chunk, failure)
        if cancelled is not None:
            raise cancelled
        if failure is not None and withdrawn is not None and ledger.epoch == epoch:
            await self._isolate(tp, good, failure, withdrawn)
        if failure is None and good:
            self._quarantine.passed(tp, good[-1])
        return failure is None

    def _is_ours(self, tp: TP, state: PartitionState[Payload], epoch: int) -> bool:
        ledger = self._ledger
        return ledger.epoch == epoch and ledger.states.get(tp.partition) is state

    def _settle(
        self,
        tp: TP,
        state: PartitionState[Payload],
        expected: int,
        chunk: Sequence[Record],
        failure: Exception | None,
    ) -> Withdrawn | None:
        """Still in its turn, so that no checkpoint sees a state with another's offsets, or half
        changed. It may have been revoked while a thread worked, and be kept all the same; or be
        forgotten, then it is nobody's."""
        if self._ledger.states.get(tp.partition) is not state:
            return None
        if failure is not None:
            return self._ledger.withdraw({tp.partition})
        self._note(tp, expected, chunk)
        return None

    def _note(self, tp: TP, expected: int, chunk: Sequence[Record]) -> None:
        ledger = self._ledger
        end = chunk[-1].offset + 1
        if lost := end - expected - len(chunk):
            metrics.RECORDS_LOST.labels(tp.topic).inc(lost)
            log.error("records_missing", topic=tp.topic, partition=tp.partition, records=lost)
        ledger.read[tp] = end
        newest = max(record.timestamp for record in chunk)
        ledger.times[tp] = max(ledger.times.get(tp, 0), newest)
        ledger.progress_at = self._clock.now()
        metrics.RECORDS_APPLIED.labels(tp.topic).inc(len(chunk))

    async def _reread(self, tp: TP, expected: int, epoch: int) -> None:
        """Nothing was applied: fetch from there again, if the partition is still ours."""
        if tp in self._ledger.owned and self._ledger.epoch == epoch:
            self._ledger.order.drop([tp])
            await self._claims.seek({tp: expected}, epoch)

    async def _isolate(
        self, tp: TP, records: Sequence[Record], error: Exception, withdrawn: Withdrawn
    ) -> None:
        """Roll the partition back; a record that raises alone goes to the dead letters."""
        log.error("handler_failed", topic=tp.topic, partition=tp.partition, exc_info=error)
        metrics.HANDLER_FAILURES.labels(tp.topic).inc()
        self._holes.pop(tp, None)
        self._quarantine.suspect(tp, records[-1].offset + 1)
        if len(records) == 1:
            self._poison.poison(tp, records[0], error)
            if self._quarantine.condemn(tp, records[0].offset) > MAX_POISON_RUN:
                raise ServiceFailureError(
                    f"more than {MAX_POISON_RUN} records of {tp.topic} in a row cannot be handled"
                ) from error
        await self._saving.roll_back(withdrawn)


async def _applied(
    state: PartitionState[Payload], topic: str, records: Sequence[Record]
) -> Ended[None]:
    try:
        work = state.apply(topic, records) if records else None
    except Exception as error:  # noqa: BLE001 - handed on
        return Ended(None, error, None)
    return DONE if work is None else await ended(work)
