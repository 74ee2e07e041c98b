"""One partition of `alerts`: hand each revision to every channel that is still owed it.

Nothing of it is stored. The committed offset is the first alert that is not settled everywhere,
and the partition of `notifications` with the same number says what was settled beyond it.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog

from driftline.alerter.courier import Courier
from driftline.core.delivery.ledger import Debts, Ledger
from driftline.core.delivery.outbox import Waiting
from driftline.runtime.dead_letters import DeadLetters
from driftline.runtime.ports import TP, Clock, Record
from driftline.runtime.states import BasicState
from driftline_schemas.alerts import Alert
from driftline_schemas.codec import UnreadableEvent, decode
from driftline_schemas.dead_letters import Reason
from driftline_schemas.notifications import Notification

log = structlog.get_logger(__name__)

MAX_WAITING: Final = 10_000  # per channel; then no more alerts are read
ROOM_SECONDS: Final = 0.2


@dataclass(slots=True)
class AlerterState(BasicState[None]):
    """Reads one partition; `debts` are the alerts that some channel has yet to get."""

    partition: int
    ledger: Ledger
    couriers: Sequence[Courier]
    refused: DeadLetters
    clock: Clock
    debts: Debts = field(default_factory=Debts)
    max_waiting: int = MAX_WAITING
    _waited_at: int = 0

    async def prepare(self, topic: str, records: Sequence[Record]) -> None:
        """Wait until every channel has room: what does not fit stays in Kafka."""
        while self._full():
            self._waited_at = self.clock.now()
            await asyncio.sleep(ROOM_SECONDS)

    def busy_at(self) -> int:
        """A channel that takes nothing is no reason to end the process."""
        return self._waited_at

    def _full(self) -> bool:
        return any(len(courier.outbox) >= self.max_waiting for courier in self.couriers)

    def apply(self, topic: str, records: Sequence[Record]) -> None:
        """Queue each alert for the channels that are owed it, and wake them."""
        for record in records:
            try:
                alert = decode(Alert, record.value)
            except UnreadableEvent as error:
                self.refused.put(
                    _reason(record, error), str(error), TP(topic, self.partition), record
                )
            else:
                self._queue(alert, record)
        for courier in self.couriers:
            courier.woken.set()

    def _queue(self, alert: Alert, record: Record) -> None:
        now = self.clock.now()
        owed = [c for c in self.couriers if self.ledger.owes(alert, c.channel.name, now)]
        self.debts.owe(record.offset, len(owed))
        for courier in owed:
            courier.outbox.add(
                Waiting(
                    alert=alert,
                    partition=self.partition,
                    offset=record.offset,
                    debts=self.debts,
                    since=record.timestamp,
                    due=now,
                )
            )

    def offsets(self, read: Mapping[str, int]) -> Mapping[str, int]:
        """The first alert that is not settled everywhere."""
        return {topic: self.debts.first(offset) for topic, offset in read.items()}

    def cut(self) -> None:
        """Nothing is saved but the offsets."""


def fold_history(ledger: Ledger, told: Iterable[bytes | None]) -> None:
    """Note what a partition of `notifications` says; what nobody can read is passed over."""
    for value in told:
        try:
            ledger.note(decode(Notification, value))
        except UnreadableEvent as error:
            log.warning("notification_unreadable", reason=str(error))


def _reason(record: Record, error: UnreadableEvent) -> Reason:
    if record.value is None:
        return "empty"
    return "invalid_json" if str(error).startswith("not JSON") else "invalid_field"
