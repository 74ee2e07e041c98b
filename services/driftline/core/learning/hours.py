"""Where in the journal did each hour begin?"""

from dataclasses import dataclass, field
from typing import Final

HOUR_MS: Final = 3_600_000


@dataclass(slots=True)
class HourIndex:
    """The first record of a model in each hour of log time, as far back as `horizon_ms`."""

    horizon_ms: int
    firsts: list[tuple[int, int]] = field(default_factory=list)  # hour, offset

    def note(self, time: int, offset: int) -> None:
        """A record of the model; times (ms) never go back."""
        hour = time // HOUR_MS
        if self.firsts and self.firsts[-1][0] >= hour:
            return
        self.firsts.append((hour, offset))
        oldest = (time - self.horizon_ms) // HOUR_MS - 1
        while self.firsts[0][0] < oldest:
            self.firsts.pop(0)

    def since(self, time: int) -> int:
        """The offset from which on the records of the last horizon lie, at `time` (ms)."""
        begin = (time - self.horizon_ms) // HOUR_MS
        return next((offset for hour, offset in self.firsts if hour >= begin), 0)

    def copy(self) -> "HourIndex":
        """One that may go its own way."""
        return HourIndex(self.horizon_ms, list(self.firsts))
