"""What the alerter sent where. Key: alert_id/channel."""

from typing import Literal

from driftline_schemas.alerts import Status
from driftline_schemas.fields import Event, Hash, Millis


class Notification(Event):
    """The newest outcome for an alert in a channel."""

    alert_id: Hash
    """The alert."""
    status: Status
    """As the alert's revision has it."""
    revision: int
    """Of the alert."""
    channel: str
    """Where it was sent."""
    result: Literal["sent", "failed", "parked"]
    """What became of it; parked: given up after 24 hours."""
    attempts: int
    """How often it was tried."""
    at: Millis
    """When."""
    external_id: str | None = None
    """What the channel calls it."""


def notification_key(alert_id: str, channel: str) -> str:
    """The compaction key."""
    return f"{alert_id}/{channel}"
