"""The bounded way to Kafka: a queue that refuses when full, emptied by librdkafka's threads."""

import logging
from collections.abc import Mapping
from threading import Thread
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from driftline.sdk.quiet_log import QuietLog
from driftline.sdk.statistics import Tally
from driftline.sdk.values import RefusedError

POLL_SECONDS: Final = 0.25
# Settings that the contracts depend on: the app's own `config` cannot change them.
FIXED: Final = {
    "acks": "all",
    "enable.idempotence": True,
    "partitioner": "murmur2_random",  # else labels never meet their predictions
    "delivery.report.only.error": True,  # a report per record would cost more than the call
}
DEFAULTS: Final = {
    "client.id": "driftline-sdk",
    "linger.ms": 20,
    "compression.type": "lz4",
    "socket.keepalive.enable": True,
    "log.connection.close": False,
}


class Delivery:
    """One producer and the thread that collects its failures."""

    def __init__(self, config: Mapping[str, Any], tally: Tally, log: QuietLog) -> None:
        self.last_error: KafkaError | None = None
        self._config = {**DEFAULTS, **config, **FIXED}
        self._tally = tally
        self._log = log
        self._fatal = False
        self._closed = False
        self._producer = self._connect()
        self._thread = Thread(target=self._collect, name="driftline-sdk", daemon=True)
        self._thread.start()

    def send(self, topic: str, key: str, value: bytes) -> None:
        """Queue one record, or raise RefusedError. Waits for nothing."""
        if self._closed:
            raise RefusedError("closed", "the client was closed")
        try:
            self._producer.produce(topic, value, key)
        except BufferError:
            raise RefusedError("queue_full", "the queue is full: Kafka is away or slow") from None
        except KafkaException as error:
            code = error.args[0]
            reason = "no_topic" if code.code() in _NO_TOPIC else "producer_failed"
            raise RefusedError(reason, f"{topic}: {code.str()}") from None
        self._tally.accept()

    def queued(self) -> int:
        """Records that wait for their acknowledgement."""
        self._producer.poll(0)  # librdkafka counts errors that nobody was told of yet as well
        return len(self._producer)

    def flush(self, seconds: float) -> int:
        """Wait for acknowledgements, at most so long; how many records still wait."""
        self._producer.flush(max(0.0, seconds))
        return self.queued()

    def close(self, seconds: float) -> int:
        """Accept nothing more, flush, stop the thread; how many records were given up."""
        self._closed = True
        left = self.flush(seconds)
        self._thread.join(2 * POLL_SECONDS)
        return left

    def _connect(self) -> Producer:
        return Producer(
            {**self._config, "on_delivery": self._report, "error_cb": self._trouble},
            logger=self._log,
        )

    def _collect(self) -> None:
        while not self._closed:
            self._producer.poll(POLL_SECONDS)
            if self._fatal:
                self._replace()

    def _replace(self) -> None:
        """A fatal error ends an idempotent producer for good: go on with a new one."""
        broken, self._fatal = self._producer, False
        self._producer = self._connect()
        broken.purge()
        broken.flush(POLL_SECONDS)  # reports what was purged

    def _report(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._tally.fail(error.name())
            sentence = f"a record for {message.topic()} was not delivered: {error.str()}"
            self._log.say(f"failed {error.name()}", logging.WARNING, sentence)

    def _trouble(self, error: KafkaError) -> None:
        if error.code() != KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 - a public code's name
            self.last_error = error
        self._fatal = self._fatal or error.fatal()


_NO_TOPIC: Final = {
    KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001 - a public code's name
    KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001
    KafkaError.UNKNOWN_TOPIC_OR_PART,
}
