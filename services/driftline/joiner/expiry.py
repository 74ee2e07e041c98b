"""Give up halves whose partner did not come in time, and report them once."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from driftline.core.joining.matching import Matcher
from driftline.joiner.snapshot import Progress

EXPIRED_AT_ONCE: Final = 1_000
# Expiry runs behind the records. A rebuild believes that what was due so long was reported; what
# came due later than that is reported, perhaps once more.
SURELY_REPORTED_MS: Final = 600_000


@dataclass(slots=True)
class Expiry:
    """Expiry of one partition. `fetch` has the stored halves of keys at hand until an await."""

    matcher: Matcher
    progress: Progress
    predictions: str  # the topics' full names
    labels: str
    fetch: Callable[[Iterable[int]], Awaitable[None]]
    changed: bool = False  # since the last checkpoint
    _reported: dict[str, int] = field(default_factory=dict)

    def rebuilding(self) -> None:
        """What is due by the times (ms) read so far was reported before the state was lost."""
        times = self.progress.times
        self._reported = {topic: time - SURELY_REPORTED_MS for topic, time in times.items()}

    async def run(self, idle_clock: Mapping[str, int], *, silent: bool) -> None:
        """Report what is due.

        `idle_clock`: the time (ms) of idle topics; `silent`: a rebuild is still going on.
        """
        if self._reported:
            while await self._expire(self._reported, silent=True):
                if len(self.matcher.halves.deleted) >= EXPIRED_AT_ONCE:
                    return  # the next checkpoint has enough to delete
        if not silent:
            self._reported = {}
            await self._expire({**self.progress.times, **idle_clock}, silent=False)

    async def _expire(self, times: Mapping[str, int], *, silent: bool) -> bool:
        """False when nothing is left that is due."""
        prediction_time, label_time = self._limited(times)
        self.matcher.expire_labels(prediction_time, silent=silent)
        keys = self.matcher.due_predictions(label_time, EXPIRED_AT_ONCE)
        await self.fetch(keys)  # from here to their expiry no await
        self.matcher.expire_predictions(keys, label_time, silent=silent)
        self.progress.since = min(times.values()) - self.matcher.limits.repeat_window
        self.matcher.remainders.forget(self.progress.since)
        self.changed = self.changed or bool(keys)
        return bool(keys)

    def _limited(self, times: Mapping[str, int]) -> tuple[int, int]:
        """By which prediction and label time (ms) halves expire.

        Each at most a grace ahead of the other: a half also waits until its own topic is past its
        horizon, since the repeats that are still to be read there are known by it.
        """
        grace = self.matcher.limits.grace
        predictions, labels = times[self.predictions], times[self.labels]
        return min(predictions, labels + grace), min(labels, predictions + grace)
