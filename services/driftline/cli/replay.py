"""Play recorded rows as if an app made predictions now and learned the truth later."""

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import ceil, inf
from time import monotonic, sleep
from typing import Any, Final, Protocol, TypeVar

T = TypeVar("T")
NOT_IN_IDS: Final = re.compile(r"[^A-Za-z0-9._:-]")


class Timer(Protocol):
    """Seconds since some start, and waiting."""

    def elapsed(self) -> float: ...

    def wait(self, seconds: float) -> None: ...


class SystemTimer:
    """The machine's time."""

    def elapsed(self) -> float:
        return monotonic()

    def wait(self, seconds: float) -> None:
        sleep(seconds)


class App(Protocol):
    """What a replay publishes to: the SDK's client."""

    def log_prediction(self, *, model: str, model_version: str, features: Mapping[str, Any],
                       prediction: object, prediction_id: str,
                       predicted_at: datetime | None) -> str | None: ...  # fmt: skip

    def log_label(self, *, model: str, prediction_id: str, label: object) -> bool: ...


@dataclass(frozen=True, slots=True)
class Row:
    """One recorded case. `label` None: the truth never comes; `predicted_at` None: now."""

    number: int
    features: Mapping[str, Any]
    prediction: object = None
    label: object = None
    predicted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Delay:
    """How much later a label comes: so many rows, or so many seconds."""

    rows: int = 0
    seconds: float | None = None

    def at_rate(self, rate: float | None) -> "Delay":
        """The same delay in rows if rows come at a known rate."""
        if self.seconds is None or rate is None:
            return self
        return Delay(rows=ceil(self.seconds * rate))


def paced(rows: Iterable[T], rate: float | None, timer: Timer) -> Iterator[T]:
    """Yield `rate` rows a second (None: at once); late ones catch up."""
    start = timer.elapsed()
    for i, row in enumerate(rows):
        if rate is not None and (early := start + i / rate - timer.elapsed()) > 0:
            timer.wait(early)
        yield row


@dataclass(slots=True)
class Replay:
    """Publishes a prediction per row and each label after its delay.

    `predict` makes the prediction of a row (default: the recorded one); ids are
    `<name>-<row number>`.
    """

    rows: Iterable[Row]
    app: App
    model: str
    name: str
    predict: Callable[[Row], object] = lambda row: row.prediction
    model_version: str = "1"
    rate: float | None = None
    delay: Delay = Delay()
    timer: Timer = field(default_factory=SystemTimer)
    published: int = 0
    labelled: int = 0
    _waiting: deque[tuple[float, Row]] = field(default_factory=deque)

    def run(self) -> Iterator[Row]:
        """Publish everything, a row per step; ends when the last label is out."""
        delay = self.delay.at_rate(self.rate)
        for row in paced(self.rows, self.rate, self.timer):
            self._publish(row)
            if row.label is not None:
                self.labelled += 1
                self._waiting.append((self._due(delay), row))
            self._publish_labels(self._now(delay))
            yield row
        self._publish_the_rest(delay)

    def _publish(self, row: Row) -> None:
        self.app.log_prediction(
            model=self.model,
            model_version=self.model_version,
            prediction_id=self._id(row),
            features=row.features,
            prediction=self.predict(row),
            predicted_at=row.predicted_at,
        )
        self.published += 1

    def _now(self, delay: Delay) -> float:
        """Where we are, in rows or in seconds, as the delay counts."""
        return self.published if delay.seconds is None else self.timer.elapsed()

    def _due(self, delay: Delay) -> float:
        return self._now(delay) + (delay.rows if delay.seconds is None else delay.seconds)

    def _publish_labels(self, now: float) -> None:
        while self._waiting and self._waiting[0][0] <= now:
            row = self._waiting.popleft()[1]
            self.app.log_label(model=self.model, prediction_id=self._id(row), label=row.label)

    def _publish_the_rest(self, delay: Delay) -> None:
        """Labels that are due after the last row come as they would have."""
        if delay.seconds is None:
            self.timer.wait(1 / self.rate if self.rate and self._waiting else 0)
            for _ in paced(range(len(self._waiting)), self.rate, self.timer):
                self._publish_labels(self._waiting[0][0])
        while self._waiting:
            self.timer.wait(max(0.0, self._waiting[0][0] - self.timer.elapsed()))
            self._publish_labels(self.timer.elapsed())

    @property
    def due(self) -> int:
        """How many labels of published rows are not out yet."""
        return len(self._waiting)

    def some_ids(self, first: int) -> list[str]:
        """The ids of the first and the last of the rows that were published, from row `first`."""
        numbers = {first, first + self.published - 1} if self.published else set()
        return [f"{self.name}-{number}" for number in sorted(numbers)]

    def _id(self, row: Row) -> str:
        return f"{self.name}-{row.number}"


def in_ids(text: str) -> str:
    """The text as a part of ids."""
    return NOT_IN_IDS.sub("_", text)[:100]


def within(rows: Iterable[Row], first: int, last: int | None) -> Iterator[Row]:
    """Rows numbered `first` to `last`, both included."""
    for row in rows:
        if row.number > (inf if last is None else last):
            return
        if row.number >= first:
            yield row
