"""How long to wait before a delivery is tried again, and when to give it up?"""

import re
from dataclasses import dataclass
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime
from hashlib import sha256
from typing import Final

from driftline_schemas.fields import EPOCH

SECONDS: Final = re.compile(r"\d{1,10}")


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits double from `base_ms` up to `cap_ms`; after `give_up_ms` an alert is parked.

    A receiver may ask for `silence_ms` at most: none may mute its channel for days.
    """

    base_ms: int = 1_000
    cap_ms: int = 300_000
    give_up_ms: int = 24 * 3_600_000
    silence_ms: int = 3_600_000

    def wait(self, key: str, attempts: int) -> int:
        """Milliseconds after failed attempt number `attempts` (1, 2, ...).

        Between half of the doubled wait and all of it. The share is a hash of `key` and the
        attempt: alerts that failed together do not return together, and a test can tell when.
        """
        whole = min(self.cap_ms, self.base_ms << min(attempts - 1, 40))
        share = int.from_bytes(sha256(f"{key}|{attempts}".encode()).digest()[:4]) / 2**32
        return round(whole * (0.5 + share / 2))

    def granted(self, asked: int, now: int) -> int:
        """The moment (ms) until which a receiver that asked for silence until `asked` gets it."""
        return min(asked, now + self.silence_ms)


def retry_after(value: str | None, now: int) -> int | None:
    """The moment (ms) that a Retry-After header asks for: seconds, or an HTTP date (RFC 9110).

    None without the header, for one that cannot be read, and for a moment that is not in the
    future: then the caller's own backoff decides.
    """
    if not value:
        return None
    try:
        moment = _moment(value, now)
    except (ValueError, OverflowError):  # no date, or one that no calendar or offset reaches
        return None
    return moment if moment > now else None


def _moment(value: str, now: int) -> int:
    if SECONDS.fullmatch(value.strip()):
        return now + int(value) * 1_000
    date = parsedate_to_datetime(value)
    return (date.replace(tzinfo=date.tzinfo or UTC) - EPOCH) // timedelta(milliseconds=1)
