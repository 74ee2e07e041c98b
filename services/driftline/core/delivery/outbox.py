"""Which waiting alert does one channel get next, and when?

Order is kept within an alert only: what must not happen is `resolved` before `firing`. So an alert
that a receiver keeps refusing holds back nobody else. Of one alert the newest revision is enough,
with one exception: while the channel has heard nothing of it, an opening (firing, worse) is not
dropped for a closing (resolved, retracted). Both are sent, since a page must not get lost.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Final

from driftline.core.delivery.backoff import Backoff
from driftline.core.delivery.ledger import Debts, Ledger
from driftline_schemas.alerts import Alert

CLOSINGS: Final = ("resolved", "retracted")


@dataclass(slots=True, eq=False)
class Waiting:
    """One revision that one channel is owed. Times in ms; `since` is when it was published."""

    alert: Alert
    partition: int
    offset: int
    debts: Debts
    since: int
    due: int
    attempts: int = 0

    @property
    def closing(self) -> bool:
        return self.alert.status in CLOSINGS

    def settle(self) -> None:
        self.debts.settle(self.offset)


@dataclass(slots=True)
class Outbox:
    """What waits for one channel. At most one alert is `flying`: taken, not concluded."""

    channel: str
    ledger: Ledger
    backoff: Backoff = field(default_factory=Backoff)
    _queues: dict[str, list[Waiting]] = field(default_factory=dict)  # by alert, in revision order
    _flying: Waiting | None = None
    _held_until: int = 0  # the receiver asked for silence

    def __len__(self) -> int:
        return sum(map(len, self._queues.values()))

    def __iter__(self) -> Iterator[Waiting]:
        return (waiting for queue in self._queues.values() for waiting in queue)

    def add(self, new: Waiting) -> None:
        """Queue a revision, in place of earlier ones that nobody needs to hear any more."""
        queue = self._queues.setdefault(new.alert.alert_id, [])
        for known in self._known(new.alert.alert_id):
            if known.alert.revision >= new.alert.revision:
                self._meet_again(known, new)
                break
        else:
            for old in [old for old in queue if self._supersedes(new, old)]:
                queue.remove(old)
                old.settle()
            queue.append(new)
        self._tidy(new.alert.alert_id)

    def _known(self, alert_id: str) -> list[Waiting]:
        flying = self._flying
        aloft = [flying] if flying and flying.alert.alert_id == alert_id else []
        return [*self._queues.get(alert_id, []), *aloft]

    def _meet_again(self, known: Waiting, new: Waiting) -> None:
        """The same news once more: published twice, or its partition was opened anew."""
        if known.debts is new.debts or known.alert.revision > new.alert.revision:
            new.settle()
        else:
            known.debts, known.offset = new.debts, new.offset

    def _supersedes(self, new: Waiting, old: Waiting) -> bool:
        if old.closing == new.closing or self.ledger.was_sent(new.alert.alert_id, self.channel):
            return True
        flying = self._flying  # its opening is on its way: one is enough
        return bool(flying and flying.alert.alert_id == new.alert.alert_id and not flying.closing)

    def take(self, now: int, partitions: Collection[int]) -> Waiting | None:
        """The next to be delivered (or parked) now; concluded by `settle` or `again`."""
        ready = [head for head in self._heads(partitions) if self._moment(head) <= now]
        if not ready:
            return None
        self._flying = chosen = min(ready, key=lambda waiting: (waiting.due, waiting.offset))
        self._queues[chosen.alert.alert_id].remove(chosen)
        self._tidy(chosen.alert.alert_id)
        return chosen

    def next_moment(self, partitions: Collection[int]) -> int | None:
        """When `take` will have something, if nothing is added."""
        return min(map(self._moment, self._heads(partitions)), default=None)

    def expired(self, waiting: Waiting, now: int) -> bool:
        """Whether it has waited so long that it is parked."""
        return now >= waiting.since + self.backoff.give_up_ms

    def settle(self, waiting: Waiting) -> None:
        """Delivered, refused for good, or parked; its notification is acknowledged."""
        self._flying = None
        waiting.settle()

    def again(self, waiting: Waiting, now: int, asked: int | None) -> None:
        """Not delivered. Before the moment `asked` the receiver wants no request at all, which is
        granted as far as the backoff allows; `waiting.due` is when it is tried again."""
        self._flying = None
        if asked is None:
            key = f"{waiting.alert.alert_id}/{self.channel}"
            waiting.due = now + self.backoff.wait(key, waiting.attempts)
        else:
            waiting.due = self.backoff.granted(asked, now)
            self._held_until = max(self._held_until, waiting.due)
        queue = self._queues.setdefault(waiting.alert.alert_id, [])
        if any(self._supersedes(later, waiting) for later in queue):
            waiting.settle()
        else:
            queue.insert(0, waiting)

    def drop(self, partition: int) -> None:
        """Forget what waits from a partition: its state is lost, or about to be read anew."""
        for alert_id in list(self._queues):
            queue = self._queues[alert_id]
            queue[:] = [waiting for waiting in queue if waiting.partition != partition]
            self._tidy(alert_id)

    def keep(self, partitions: Collection[int]) -> None:
        """Forget what waits from all other partitions."""
        for partition in {waiting.partition for waiting in self} - set(partitions):
            self.drop(partition)

    def _heads(self, partitions: Collection[int]) -> Iterator[Waiting]:
        heads = (queue[0] for queue in self._queues.values())
        return (head for head in heads if head.partition in partitions)

    def _moment(self, head: Waiting) -> int:
        """When something is to be done about it: deliver, or park."""
        return min(max(head.due, self._held_until), head.since + self.backoff.give_up_ms)

    def _tidy(self, alert_id: str) -> None:
        if not self._queues[alert_id]:
            del self._queues[alert_id]
