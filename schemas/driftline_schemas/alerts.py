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
    """The feature."""
    segment: str | None = None
    """The segment."""
    effect: float
    """Size of its change, from 0 to 1."""
    first_offset: int | None = None
    """Journal offset where it was first seen."""


class Alert(Event):
    """One revision of an alert; `alert_id` stays from firing to resolved."""

    alert_id: Hash
    """This incident, from its first word to its last: hash of fingerprint and `opened_by`."""
    fingerprint: Hash
    """What it is about, whenever it fires: hash of model, check and scope."""
    status: Status
    """What has happened."""
    revision: int
    """Counts the words on this alert, from 1."""
    at: Millis
    """When this revision was decided, in the input's time."""
    severity: Severity
    """How urgent it is."""
    model: Name
    """The model."""
    model_version: str
    """What served when it opened."""
    lineage: str | None = None
    """The lineage of that version. Default: it is not known to have been deployed."""
    check: Check
    """The question that was asked."""
    scope: str
    """`model`, or a floor's metric."""
    opened_at: Millis
    """When it opened."""
    opened_by: JournalPosition
    """The journal record that opened it."""
    value: float | None = None
    """The figure now."""
    threshold: float | None = None
    """What it is compared with."""
    effect: float | None = None
    """How large the change is."""
    n: int
    """Predictions or labels behind the figure."""
    coverage: float | None = None
    """Labelled / predicted."""
    cause: list[Cause] = []
    """What changed, the largest effect first."""
    summary: str
    """What happened, in a sentence."""
    reason: str | None = None
    """Why it is over, if it did not end by itself."""
    replay: str
    """A command that shows it again."""


def fingerprint(model: str, check: str, scope: str) -> str:
    """What the alert is about, whenever it fires."""
    return short_hash(model, check, scope)


def alert_id(fingerprint: str, opened_by: JournalPosition) -> str:
    """This incident: the fingerprint and the journal record that opened it."""
    topic, partition, offset = opened_by
    return short_hash(fingerprint, topic, str(partition), str(offset))
