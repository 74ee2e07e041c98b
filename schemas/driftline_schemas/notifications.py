"""What the alerter sent where. Key: alert_id/channel."""

from typing import Literal

from driftline_schemas.alerts import Status
from driftline_schemas.fields import Event, Hash, Millis


class Notification(Event):
    """The newest outcome for an alert in a channel."""

    alert_id: Hash
    status: Status
    revision: int
    channel: str
    result: Literal["sent", "failed", "parked"]
    attempts: int
    at: Millis
    external_id: str | None = None


def notification_key(alert_id: str, channel: str) -> str:
    """The compaction key."""
    return f"{alert_id}/{channel}"
