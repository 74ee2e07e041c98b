"""What a way to reach people has to know: how to ask, and how to read the answer.

Another channel is one file with a class of this form, and its lines in `configured.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from driftline_schemas.alerts import Alert

RETRIED: Final = (408, 425, 429)  # besides 5xx: the receiver is busy, not unwilling
GONE: Final = (404, 410)


@dataclass(frozen=True, slots=True)
class Request:
    """A POST. The URL is a secret and the body may hold one: neither is ever shown."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Sent:
    """The receiver has it, under this id if it said one."""

    external_id: str | None = None


@dataclass(frozen=True, slots=True)
class Retry:
    """It may have it or not: ask again. `retry_after` is the header as it came."""

    reason: str
    retry_after: str | None = None


@dataclass(frozen=True, slots=True)
class Permanent:
    """Asking again cannot help."""

    reason: str


Outcome = Sent | Retry | Permanent


class Channel(Protocol):
    """One destination."""

    @property
    def name(self) -> str:
        """Its name in notifications and metrics."""

    @property
    def url(self) -> str:
        """Where it posts to; a secret."""

    def request(self, alert: Alert) -> Request:
        """What to post for this revision."""

    def judge(self, status: int, headers: Mapping[str, str], body: bytes) -> Outcome:
        """What an answer means; `headers` ignores case."""


def judge_refusal(status: int, headers: Mapping[str, str], code: str = "") -> Retry | Permanent:
    """An answer that is not the channel's own yes. `code` must be safe to log.

    Success without the yes (a proxy's page, say) proves nothing, so it is asked again.
    """
    reason = f"{status} {code}".strip()
    if status < 300 or status in RETRIED or status >= 500:
        return Retry(reason, headers.get("retry-after"))
    if status in GONE:
        return Permanent(f"{reason} (the destination is gone)")
    return Permanent(reason)
