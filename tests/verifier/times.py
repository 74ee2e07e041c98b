"""Times on the wire: RFC 3339 there, integer milliseconds since the epoch here."""

import re
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_RFC_3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_OURS = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")


def millis(text: object) -> int:
    """Milliseconds since the epoch, rounded down; ValueError for what is no RFC 3339 time."""
    if not isinstance(text, str) or not _RFC_3339.fullmatch(text):
        raise ValueError(f"{str(text)[:40]!r} is no RFC 3339 time")
    return (datetime.fromisoformat(text.upper()) - _EPOCH) // _MILLISECOND


def own_millis(text: object) -> int:
    """As `millis`, for times that Driftline writes: UTC with three digits and nothing else."""
    if not isinstance(text, str) or not _OURS.fullmatch(text):
        raise ValueError(f"{str(text)[:40]!r} is not a UTC time with milliseconds")
    return millis(text)


def rfc3339(at: int) -> str:
    """The form in which Driftline writes a time."""
    seconds, rest = divmod(at, 1000)
    return f"{(_EPOCH + timedelta(seconds=seconds)).isoformat()[:19]}.{rest:03d}Z"
