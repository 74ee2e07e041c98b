"""What was each channel told about each alert, and what is it still owed?"""

from dataclasses import dataclass, field
from typing import Final

from driftline_schemas.alerts import Alert
from driftline_schemas.notifications import Notification

PAST_MS: Final = 24 * 3_600_000


@dataclass(frozen=True, slots=True)
class Told:
    """The newest revision that is settled with a channel, and whether any was really sent."""

    revision: int
    sent: bool


@dataclass(slots=True)
class Ledger:
    """Notifications, folded. One small entry for each alert and channel."""

    _told: dict[str, dict[str, Told]] = field(default_factory=dict)

    def note(self, notification: Notification) -> None:
        """Fold one notification in; repeats and stale ones change nothing."""
        channels = self._told.setdefault(notification.alert_id, {})
        known = channels.get(notification.channel, Told(-1, sent=False))
        channels[notification.channel] = Told(
            max(known.revision, notification.revision), known.sent or notification.result == "sent"
        )

    def was_sent(self, alert_id: str, channel: str) -> bool:
        """Whether the channel has heard of the alert at all."""
        told = self._told.get(alert_id, {}).get(channel)
        return told is not None and told.sent

    def owes(self, alert: Alert, channel: str, now: int) -> bool:
        """Whether the channel must still hear this revision.

        Not if it, or a later one, is settled. Nor if others were told more than a day ago and this
        channel never was of anything: then the channel is new and the alert its past. A younger
        one is sent, because it may just as well be a page that was still being retried.
        """
        channels = self._told.get(alert.alert_id, {})
        if channel in channels:
            return channels[channel].revision < alert.revision
        settled = any(told.revision >= alert.revision for told in channels.values())
        return not (settled and now - alert.at > PAST_MS)


@dataclass(slots=True)
class Debts:
    """Offsets of one partition of `alerts` that some channel is still owed."""

    _owed: dict[int, int] = field(default_factory=dict)  # in ascending order, as read

    def owe(self, offset: int, channels: int) -> None:
        """`channels` deliveries of the alert at `offset` must be settled."""
        if channels:
            self._owed[offset] = channels

    def settle(self, offset: int) -> None:
        """One of them is sent, refused for good, parked, or told by a later revision."""
        self._owed[offset] -= 1
        if not self._owed[offset]:
            del self._owed[offset]

    def first(self, read: int) -> int:
        """The first offset that is not settled everywhere; `read` if all are."""
        return next(iter(self._owed), read)
