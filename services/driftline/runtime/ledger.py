"""What this process holds of each partition; claiming, applying and saving share this one value."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Generic, NamedTuple

from driftline.core.arrival_order import ArrivalOrder
from driftline.runtime.ports import TP, PartitionState, Payload, Reader, Record, Stored


class Withdrawn(NamedTuple):
    """Partitions whose memory is not trusted any more, and when (the epoch) that was."""

    tps: frozenset[TP]
    epoch: int


@dataclass(slots=True)
class Ledger(Generic[Payload]):
    """Partitions, their states and their offsets. Every method is one step without an await."""

    topics: frozenset[str]
    order: ArrivalOrder[TP, Record]
    saved_at: int
    progress_at: int
    reader: Reader = field(init=False)
    epoch: int = 0  # raised whenever partitions are revoked
    owned: frozenset[TP] = frozenset()
    states: dict[int, PartitionState[Payload]] = field(default_factory=dict)
    tokens: dict[int, int] = field(default_factory=dict)
    read: dict[TP, int] = field(default_factory=dict)  # the next record expected
    times: dict[TP, int] = field(default_factory=dict)  # running maximum of append times applied
    saved: dict[int, dict[str, int]] = field(default_factory=dict)  # what the store stands for
    unsaved: dict[int, Stored[Payload]] = field(default_factory=dict)  # cut, not confirmed yet
    committed: dict[TP, int] = field(default_factory=dict)  # never taken back

    def lag(self, tp: TP) -> int:
        """Records of the partition that are not applied yet."""
        return max(0, (self.reader.highwater(tp) or 0) - self.read.get(tp, 0))

    def forget(self, partition: int) -> None:
        """Drop the memory of a partition and what was cut from it."""
        self.states.pop(partition, None)
        self.unsaved.pop(partition, None)

    def withdraw(self, partitions: Collection[int]) -> Withdrawn:
        """Stop to own these and forget them; what was ours of them may be claimed again."""
        mine = frozenset(tp for tp in self.owned if tp.partition in partitions)
        self.owned -= mine
        self.order.drop(mine)
        for partition in partitions:
            self.forget(partition)
        return Withdrawn(mine, self.epoch)

    def release(self) -> frozenset[TP]:
        """Give up all, and keep the memory: perhaps nobody else claims them. What was ours."""
        owned, self.owned = self.owned, frozenset()
        self.epoch += 1
        self.order.clear()
        return owned
