"""Say each kind of trouble once a minute, to the logger `driftline.sdk`.

The logger has no handler of its own: where the app configures no logging, Python prints warnings to
stderr, so that no record is lost without a word.
"""

import logging
from collections.abc import Callable
from threading import Lock
from time import monotonic
from typing import Final

LOGGER: Final = logging.getLogger("driftline.sdk")
SECONDS_BETWEEN: Final = 60.0
MOST_KINDS: Final = 200


class QuietLog:
    """A logger with at most one line per kind and minute; the next line counts the silent ones."""

    def __init__(
        self, logger: logging.Logger = LOGGER, elapsed: Callable[[], float] = monotonic
    ) -> None:
        self._logger = logger
        self._elapsed = elapsed
        self._lock = Lock()
        self._said: dict[str, tuple[float, int]] = {}  # kind -> when last said, silent since

    def say(self, kind: str, level: int, sentence: str) -> None:
        """Log `sentence` unless its kind was logged within the last minute."""
        with self._lock:
            now = self._elapsed()
            last, silent = self._said.get(kind, (float("-inf"), 0))
            if now - last < SECONDS_BETWEEN:
                self._said[kind] = (last, silent + 1)
                return
            if len(self._said) >= MOST_KINDS:
                self._said.clear()
            self._said[kind] = (now, 0)
        more = f" ({silent} more like it since the last line)" if silent else ""
        self._logger.log(level, "Driftline: %s%s", sentence, more)

    def log(self, level: int, pattern: str, *values: object) -> None:
        """What librdkafka calls: values are its facility, the client's name and the text."""
        facility = str(values[0]) if values else pattern
        self.say(f"librdkafka {facility}", level, pattern % values if values else pattern)
