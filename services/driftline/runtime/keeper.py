"""Own partitions: open their states, apply records in order, save state with offsets, roll back.

The rules (docs/decisions/0002-batch-runtime.md says why):
- a state and the offsets that it stands for change together, in the partition's turn, which every
  cut takes too;
- a checkpoint is: outputs acknowledged, then state and offsets saved under a fencing token, then
  offsets committed. So what is committed has its outputs, and what is replayed is filtered;
- a handler that raises is rolled back to the last checkpoint and replayed record by record, until
  the record that raises alone goes to the dead letters.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Generic

from driftline.core.arrival_order import ArrivalOrder
from driftline.runtime.applying import Applying, PoisonBin
from driftline.runtime.claims import Claims, ServiceFailureError
from driftline.runtime.ledger import Ledger
from driftline.runtime.ports import (
    TP,
    Clock,
    Open,
    Outputs,
    PartitionState,
    Payload,
    Reader,
    Record,
    StateStore,
)
from driftline.runtime.quarantine import Quarantine
from driftline.runtime.saving import Saving

__all__ = ["Keeper", "PoisonBin", "ServiceFailureError"]


class Keeper(Generic[Payload]):
    """The partitions of one process and their states. Its `reader` is set before it is used."""

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
        self._store = store
        self._ledger: Ledger[Payload] = Ledger(frozenset(topics), order, clock.now(), clock.now())
        quarantine = Quarantine()
        self._claims = Claims(self._ledger, open_state, store, clock, topic_ids)
        self._saving = Saving(
            self._ledger, self._claims, quarantine, store, outputs, clock, topic_ids
        )
        self._applying = Applying(
            self._ledger, self._claims, self._saving, quarantine, poison, clock
        )

    @property
    def topics(self) -> frozenset[str]:
        """The co-partitioned topics."""
        return self._ledger.topics

    @property
    def reader(self) -> Reader:
        """The consumer."""
        return self._ledger.reader

    @reader.setter
    def reader(self, reader: Reader) -> None:
        self._ledger.reader = reader

    @property
    def owned(self) -> frozenset[TP]:
        """What is ours and may be applied and saved now."""
        return self._ledger.owned

    @property
    def states(self) -> Mapping[int, PartitionState[Payload]]:
        """States in memory; those of partitions that are not owned now may be out of date."""
        return self._ledger.states

    @property
    def is_held_up(self) -> bool:
        """Whether nothing is applied, since what was applied cannot be saved."""
        return self._saving.is_behind

    @property
    def saved_at(self) -> int:
        """When (ms) everything that had changed was last saved and committed."""
        return self._ledger.saved_at

    @property
    def progress_at(self) -> int:
        """When (ms) a record was last applied, work before one got on, or a store was missed."""
        busy = (state.busy_at() for state in self._ledger.states.values())
        return max(self._ledger.progress_at, *busy, 0)

    def lag(self, tp: TP) -> int:
        """Records of the partition that are not applied yet."""
        return self._ledger.lag(tp)

    def whole(self, tps: Collection[TP]) -> set[TP]:
        """Those partitions of which all co-partitioned topics are there: a state needs them all."""
        topics = self.topics
        return {tp for tp in tps if all(TP(topic, tp.partition) in tps for topic in topics)}

    async def assign(self, tps: Iterable[TP]) -> Mapping[TP, int]:
        """Claim partitions; where to read each on. Called after every assignment."""
        return await self._claims.assign(tps)

    def wanted(self, assigned: Collection[TP]) -> set[TP]:
        """Which partitions to fetch from now."""
        return self._applying.wanted(assigned)

    async def process(self, asked: Collection[TP], batches: Mapping[TP, Sequence[Record]]) -> None:
        """Apply what one poll of `asked` brought."""
        await self._applying.process(asked, batches)

    async def checkpoint(self, *, release: bool = False) -> None:
        """Save every partition that changed; `release` gives all of them up (revoke, SIGTERM)."""
        if release:
            await self._saving.release()
        else:
            await self._saving.checkpoint()

    async def still_owned(self) -> set[int]:
        """The partitions that nobody else has claimed, as the store says now."""
        mine = {tp.partition for tp in self.owned}
        if self._store is None:
            return mine
        tokens = self._ledger.tokens
        return await self._store.still_owned({p: tokens[p] for p in mine})
