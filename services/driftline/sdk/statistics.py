"""What became of the events: every call is sent, still queued, dropped or failed."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock


@dataclass(frozen=True, slots=True)
class Statistics:
    """Counts since the client was made (in a forked process: since the fork).

    `sent`: acknowledged by Kafka. `queued`: not yet. `dropped`: never queued, by reason.
    `failed`: queued, then given up, by librdkafka's error name.
    """

    sent: int
    queued: int
    dropped: Mapping[str, int]
    failed: Mapping[str, int]


class Tally:
    """The counters behind it, safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._accepted = 0
        self._dropped: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()

    def accept(self) -> None:
        with self._lock:
            self._accepted += 1

    def drop(self, reason: str) -> None:
        with self._lock:
            self._dropped[reason] += 1

    def fail(self, error: str) -> None:
        with self._lock:
            self._failed[error] += 1

    def read(self, queued: int) -> Statistics:
        """Kafka reports failures only, so what neither failed nor waits was acknowledged."""
        with self._lock:
            known = self._accepted - self._failed.total()
            waiting = min(queued, known)
            return Statistics(known - waiting, waiting, dict(self._dropped), dict(self._failed))
