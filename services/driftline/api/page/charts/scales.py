"""Where on an axis does a value lie, and which values are named on it?"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from math import ceil, floor, isfinite, log10
from typing import Final

from driftline_schemas.fields import EPOCH

STEPS: Final = (1, 2, 5, 10)
SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
TIME_STEPS: Final = (
    *(n * SECOND for n in (1, 2, 5, 10, 15, 30)), *(n * MINUTE for n in (1, 2, 5, 10, 15, 30)),
    *(n * HOUR for n in (1, 2, 3, 6, 12)), *(n * DAY for n in (1, 2, 4, 7, 14, 30, 61, 91, 183)),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Span:
    """The values between two ends of an axis."""

    low: float
    high: float

    def share(self, value: float) -> float:
        """0 at the low end, 1 at the high one; values outside lie on the nearer end."""
        if self.high <= self.low:
            return 0.5
        share = (value - self.low) / (self.high - self.low)
        return 0.0 if share < 0 else 1.0 if share > 1 else share

    def holds(self, value: float) -> bool:
        """Whether it lies between the ends."""
        return self.low <= value <= self.high


def span_of(values: Iterable[float], *, least: float = 0.0, margin: float = 0.0) -> Span:
    """Around the finite ones of the values, at least so wide, with a margin on both sides (a share
    of the width); [0, 1] around none."""
    finite = [value for value in values if isfinite(value)]
    if not finite:
        return Span(0.0, 1.0)
    low, high = min(finite), max(finite)
    room = max(0.0, least - (high - low)) / 2
    low, high = low - room, high + room
    return Span(low - margin * (high - low), high + margin * (high - low))


def ticks(span: Span, about: int = 4) -> list[float]:
    """Round values within the span, about so many."""
    width = span.high - span.low
    if not isfinite(width) or width <= max(1e-300, 1e-9 * max(abs(span.low), abs(span.high))):
        return [span.low] if isfinite(span.low) else []
    rough = width / about
    unit = 10.0 ** floor(log10(rough))
    step = next(s * unit for s in STEPS if s * unit >= rough * 0.999)
    first, last = ceil(span.low / step - 1e-9), floor(span.high / step + 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def time_ticks(span: Span, about: int = 4) -> list[tuple[float, str]]:
    """Round moments (ms) within the span with their names, UTC."""
    width = span.high - span.low
    if width <= 0:
        return [(span.low, _named(span.low, SECOND))]
    rough = width / about
    step = next((s for s in TIME_STEPS if s >= rough), ceil(rough / (365 * DAY)) * 365 * DAY)
    first = ceil(span.low / step)
    return [(i * step, _named(i * step, step)) for i in range(first, floor(span.high / step) + 1)]


def _named(millis: float, step: float) -> str:
    when = EPOCH + timedelta(milliseconds=millis)
    if step < MINUTE:
        return f"{when:%H:%M:%S}"
    if step < DAY:
        return f"{when:%H:%M}" if when.hour or when.minute else f"{when:%d %b}"
    return f"{when:%d %b}" if step < 30 * DAY else f"{when:%b %Y}"
