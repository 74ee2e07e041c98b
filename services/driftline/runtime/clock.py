"""The one place that reads the wall clock."""

import time


class SystemClock:
    """The machine's clock, milliseconds since the epoch."""

    def now(self) -> int:
        return time.time_ns() // 1_000_000
