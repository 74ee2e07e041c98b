"""Feed pairs to the input topics: at a rate or flat out, each label some pairs behind."""

from collections.abc import Iterator
from time import monotonic, sleep
from typing import Any, Final, Literal, Protocol

from confluent_kafka import Producer

from driftline.runtime.clock import SystemClock
from driftline.runtime.kafka_log import SILENT
from driftline_schemas.topics import LABELS, PREDICTIONS

Half = Literal["prediction", "label"]
LOOK_EVERY: Final = 256  # events between two looks at the clock, flat out
EARLY_SECONDS: Final = 0.001  # at a rate: how far ahead of its time an event may be sent
QUEUE_SECONDS: Final = 0.1


class Bodies(Protocol):
    """What to send for each pair; `now` in ms."""

    def key(self, pair: int) -> bytes: ...

    def prediction(self, pair: int, now: int) -> bytes: ...

    def label(self, pair: int, now: int) -> bytes: ...


def order(pairs: int, delay: int) -> Iterator[tuple[int, Half, int]]:
    """Step, half and pair, as they are sent: a label `delay` steps after its prediction."""
    for step in range(pairs + delay):
        if step < pairs:
            yield step, "prediction", step
        if step >= delay:
            yield step, "label", step - delay


def only(half: Half, pairs: int) -> Iterator[tuple[int, Half, int]]:
    """The same for one half of every pair."""
    return ((pair, half, pair) for pair in range(pairs))


class Feeder:
    """Sends the halves of one run. rate: steps (pairs) a second, None for flat out.

    labelled: when (ms) each label was handed to the producer, by its id; at a rate to the
    millisecond, flat out as of the last look at the clock.
    """

    def __init__(self, brokers: str, prefix: str, events: Bodies, rate: float | None) -> None:
        self._topics = {
            "prediction": PREDICTIONS.full_name(prefix),
            "label": LABELS.full_name(prefix),
        }
        self._events, self._rate = events, rate
        self.labelled: dict[bytes, int] = {}
        self._clock = SystemClock()
        self._failures: list[Any] = []
        self._producer = Producer(
            {
                "bootstrap.servers": brokers,
                "acks": "all",
                "enable.idempotence": True,
                "linger.ms": 20,
                "partitioner": "murmur2_random",
                "queue.buffering.max.messages": 200_000,
                "delivery.report.only.error": True,
                "on_delivery": lambda error, _message: self._failures.append(error),
            },
            logger=SILENT,
        )

    def send(self, halves: Iterator[tuple[int, Half, int]]) -> float:
        """Send them all and wait for the broker; returns the seconds that took."""
        began, now = monotonic(), self._clock.now()
        for sent, (step, half, pair) in enumerate(halves):
            if self._rate is not None:
                self._pace(began + step / self._rate)
            if self._rate is not None or sent % LOOK_EVERY == 0:
                self._producer.poll(0)
                now = self._clock.now()
            self._produce(half, pair, now)
        self._producer.flush()
        if self._failures:
            raise RuntimeError(f"the broker refused events: {self._failures[0]}")
        return monotonic() - began

    def _pace(self, due: float) -> None:
        if (early := due - monotonic()) > EARLY_SECONDS:
            sleep(early)

    def _produce(self, half: Half, pair: int, now: int) -> None:
        key, events = self._events.key(pair), self._events
        if half == "label":
            self.labelled[key] = now
        value = events.label(pair, now) if half == "label" else events.prediction(pair, now)
        while True:
            try:
                self._producer.produce(self._topics[half], value, key)
            except BufferError:  # the local queue is full: wait for acknowledgements
                self._producer.poll(QUEUE_SECONDS)
            else:
                return
