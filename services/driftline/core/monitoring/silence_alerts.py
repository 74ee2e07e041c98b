"""When do predictions, or labels, that do not come any more fire or resolve their alert?

The clock is the time that all input partitions have come to, as marks tell it. What came since the
clock last moved counts as having come when it moves next: so a backlog that is read in leaps is no
silence, and while no joiner runs the clock stands, because nobody knows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from driftline.core.monitoring import sentences
from driftline.core.monitoring.alert_life import AlertLife, Evidence, Moment
from driftline_schemas.alerts import Alert

Expected = Literal["no_predictions", "no_labels"]


@dataclass(slots=True)
class SilenceAlerts:
    """What one model is expected to bring at least every `within_ms`, and the alert if it does not.

    Nothing is expected before the first has come.
    """

    life: AlertLife
    within_ms: int
    _clock: int = 0  # ms
    _last: int | None = None  # the clock when the last had come
    _heard: bool = False  # since the clock moved
    _version: str = ""  # of the last

    @classmethod
    def of(cls, model: str, check: Expected, within_ms: int) -> Self:
        """Nothing has come yet."""
        return cls(AlertLife(model, check, "warning"), within_ms)

    def hear(self, moment: Moment, model_version: str, n: int) -> Alert | None:
        """So many have come."""
        self._heard, self._version = True, model_version
        if self.life.alert is None:
            return None
        evidence = self._evidence(n)
        summary = sentences.silence_is_over(self.life.check, self._silent_ms)
        return self.life.resolve(moment, evidence, summary=summary)

    def advance(self, moment: Moment, clock: int) -> Alert | None:
        """The clock moved on."""
        self._clock = clock
        if self._heard:
            self._heard, self._last = False, clock
        if self._last is None or self.life.alert is not None or self._silent_ms < self.within_ms:
            return None
        summary = sentences.silence(self.life.check, self._silent_ms, self.within_ms)
        evidence = self._evidence(0)
        return self.life.fire(moment, clock, self._version, evidence, summary=summary)

    @property
    def _silent_ms(self) -> int:
        return 0 if self._last is None else self._clock - self._last

    def _evidence(self, n: int) -> Evidence:
        """Seconds of silence, those that were allowed, and how many times as long it lasted."""
        value, threshold = self._silent_ms / 1_000, self.within_ms / 1_000
        return Evidence(n, value, threshold, value / threshold)

    def snapshot(self) -> dict[str, Any]:
        """The state as JSON types."""
        seen = [self._clock, self._last, self._heard, self._version]
        return {"alert": self.life.snapshot(), "seen": seen}

    def take_up(self, snapshot: Mapping[str, Any]) -> None:
        """Go on where another of the same limit gave this `snapshot`."""
        self.life.take_up(snapshot["alert"])
        self._clock, self._last, self._heard, self._version = snapshot["seen"]
