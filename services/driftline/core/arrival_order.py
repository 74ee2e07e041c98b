"""In which order to apply what several partitions brought: the oldest append time first.

Read partition by partition, a backlog's errors would come in an order that no live system ever
sees, and change detectors would fire hundreds of rows late. So chunks are merged by append time,
and a partition may not run ahead of one whose records are still to be fetched.
"""

from collections import deque
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

P = TypeVar("P", bound=Hashable)


class Timed(Protocol):
    @property
    def timestamp(self) -> int: ...


R = TypeVar("R", bound=Timed)


@dataclass(slots=True)
class ArrivalOrder(Generic[P, R]):
    """Buffers fetched records per partition and hands them out by append time (ms).

    lead_ms: how far a partition may run ahead of one that lags; None lets each run freely.
    slack_ms: records this close to the oldest count as equally old, so that chunks stay large.
    """

    lead_ms: int | None = 1_000
    slack_ms: int = 100
    chunk: int = 500
    _waiting: dict[P, deque[R]] = field(default_factory=dict)

    def add(self, partition: P, records: Sequence[R]) -> None:
        """Take what one fetch brought, in offset order."""
        self._waiting.setdefault(partition, deque()).extend(records)

    def drop(self, partitions: Collection[P]) -> None:
        """Forget buffered records: the partitions will be read again from elsewhere."""
        for partition in partitions:
            self._waiting.pop(partition, None)

    def clear(self) -> None:
        """Forget everything buffered."""
        self._waiting.clear()

    def buffered(self, partition: P) -> int:
        """How many records of the partition wait here."""
        return len(self._waiting.get(partition, ()))

    def next(self, lagging: Mapping[P, int]) -> tuple[P, list[R]] | None:
        """The chunk to apply now, or None: fetch first.

        lagging: partitions with records still to be fetched and the time each has reached.
        """
        heads = {p: waiting[0].timestamp for p, waiting in self._waiting.items() if waiting}
        if not heads:
            return None
        oldest = min(heads, key=heads.__getitem__)
        limit = self._limit(heads, oldest, lagging)
        if heads[oldest] > limit:
            return None
        return oldest, self._take(self._waiting[oldest], limit)

    def _limit(self, heads: Mapping[P, int], oldest: P, lagging: Mapping[P, int]) -> int:
        """The newest append time that may be applied from the partition with the oldest head."""
        others = [time for p, time in heads.items() if p != oldest]
        limit = min(others, default=1 << 62) + self.slack_ms
        behind = [time for p, time in lagging.items() if p not in heads]
        if self.lead_ms is not None and behind:
            limit = min(limit, min(behind) + self.lead_ms)
        return limit

    def _take(self, waiting: deque[R], limit: int) -> list[R]:
        taken: list[R] = []
        while waiting and len(taken) < self.chunk and waiting[0].timestamp <= limit:
            taken.append(waiting.popleft())
        return taken
