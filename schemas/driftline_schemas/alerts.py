"""An alert is an object with a life: firing, worse, resolved, retracted."""

from typing import Literal

from driftline_schemas.codec import short_hash
from driftline_schemas.fields import Event, Hash, JournalPosition, Millis, Name

Check = Literal["data", "error", "floor", "no_predictions", "no_labels"]
Status = Literal["firing", "worse", "resolved", "retracted"]
Severity = Literal["critical", "error", "warning", "info"]


class Cause(Event):
    """One ranked cause: a feature or segment, how large its change is, where it began."""

    feature: str | None = None
    segment: str | None = None
    effect: float
    first_offset: int | None = None


class Alert(Event):
    """One revision of an alert; `alert_id` stays from firing to resolved."""

    alert_id: Hash
    fingerprint: Hash
    status: Status
    revision: int
    at: Millis
    severity: Severity
    model: Name
    model_version: str
    check: Check
    scope: str
    opened_at: Millis
    opened_by: JournalPosition
    value: float | None = None
    threshold: float | None = None
    effect: float | None = None
    n: int
    coverage: float | None = None
    cause: list[Cause] = []
    summary: str
    reason: str | None = None
    replay: str


def fingerprint(model: str, check: str, scope: str) -> str:
    """What the alert is about, whenever it fires."""
    return short_hash(model, check, scope)


def alert_id(fingerprint: str, opened_by: JournalPosition) -> str:
    """This incident: the fingerprint and the journal record that opened it."""
    topic, partition, offset = opened_by
    return short_hash(fingerprint, topic, str(partition), str(offset))
