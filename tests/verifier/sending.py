"""Sends traffic to a broker, in order, into the partitions that it names."""

from collections.abc import Callable, Iterable
from time import monotonic
from typing import Any

from confluent_kafka import KafkaException, Producer

from tests.verifier.traffic import Event

LOOK_EVERY = 64  # events between two looks at the clock, flat out


def send(brokers: str, prefix: str, events: Iterable[Event], rate: float | None = None) -> int:
    """Produces events in order, `rate` a second (None: flat out), and returns their number.

    Returns once every record is acknowledged by all replicas; KafkaException when one is not.
    """
    failures: list[Any] = []
    producer = Producer(
        {
            "bootstrap.servers": brokers,
            "acks": "all",
            "enable.idempotence": True,
            "linger.ms": 5,
            "queue.buffering.max.messages": 200_000,
        }
    )

    def delivered(error: Any, _message: Any) -> None:
        if error is not None:
            failures.append(error)

    pace, sent = Pace(rate), 0
    for event in events:
        pace.wait(sent, producer.poll)
        _produce(producer, prefix, event, delivered)
        sent += 1
    producer.flush()
    if failures:
        raise KafkaException(failures[0])
    return sent


def _produce(producer: Any, prefix: str, event: Event, delivered: Any) -> None:
    topic = f"{prefix}.{event.topic}.v1"
    while True:
        try:
            producer.produce(
                topic, event.value, event.key, partition=event.partition, on_delivery=delivered
            )
        except BufferError:  # the queue is full: wait for acknowledgements
            producer.poll(0.1)
        else:
            return


class Pace:
    """`rate` events a second from the first call on; None does not wait."""

    def __init__(self, rate: float | None) -> None:
        self.rate = rate
        self.began: float | None = None

    def wait(self, sent: int, serve: Callable[[float], Any]) -> None:
        """Spends the time until event number `sent` is due in `serve(seconds)`."""
        if self.rate is None:
            if sent % LOOK_EVERY == 0:
                serve(0)
            return
        began = self.began = self.began or monotonic()
        while (early := began + sent / self.rate - monotonic()) > 0:
            serve(early)
