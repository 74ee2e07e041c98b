"""Where predictions and statuses go: a port, and Kafka behind it."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from threading import Lock, Thread
from typing import Any, Final, Protocol

import structlog
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from driftline.runtime.kafka_log import SILENT
from driftline.scorer.threads import in_thread

log = structlog.get_logger(__name__)

ACK_SECONDS: Final = 4.0  # an answer waits no longer for its record to be acknowledged
KEEP_SECONDS: Final = 3_600  # through an outage, what nobody waits for
POLL_SECONDS: Final = 0.1
MOST_QUEUED: Final = 100_000  # records
MOST_QUEUED_KIB: Final = 65_536
Report = Callable[[str | None], None]  # called once with the error, or None


class NotRecordedError(Exception):
    """The broker did not acknowledge a record in time; it may have it all the same."""


class Recorder(Protocol):
    """Records of one event loop."""

    async def acknowledged(self, topic: str, key: str, value: bytes) -> None:
        """Returns when the broker has it; NotRecordedError after four seconds, or at once where
        it is refused."""

    def sent(self, topic: str, key: str, value: bytes) -> bool:
        """Queue it; False if there is no room. Waits for nothing."""

    async def flush(self, seconds: float) -> int:
        """Wait for all acknowledgements, at most so long; how many are missing."""


class KafkaRecorder:
    """On a real broker. Two producers, since a record that somebody waits for is given up with the
    wait (an answer "not recorded" is not followed by the record after an outage of an hour), while
    one that nobody waits for was answered already and is kept. `lost` is called for each of those
    that did not get there."""

    def __init__(self, brokers: str, client_id: str, lost: Callable[[], None]) -> None:
        self._awaited = _Channel(brokers, client_id, ACK_SECONDS, linger_ms=1)
        self._kept = _Channel(brokers, client_id, KEEP_SECONDS, linger_ms=20)
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._done: deque[tuple[asyncio.Future[None], str | None]] = deque()
        self._settling = Lock()  # a flush takes reports, too

    async def acknowledged(self, topic: str, key: str, value: bytes) -> None:
        future: asyncio.Future[None] = self._loop.create_future()
        if not self._awaited.send(topic, key, value, lambda error: self._settle(future, error)):
            raise NotRecordedError("the queue is full")
        try:
            async with asyncio.timeout(ACK_SECONDS):
                await future
        except TimeoutError:
            raise NotRecordedError(f"no acknowledgement within {ACK_SECONDS:g} s") from None

    def sent(self, topic: str, key: str, value: bytes) -> bool:
        return self._kept.send(topic, key, value, self._count)

    async def flush(self, seconds: float) -> int:
        channels = (self._awaited, self._kept)
        left = [in_thread(partial(channel.flush, seconds), "flushing") for channel in channels]
        return sum(await asyncio.gather(*left))

    def close(self) -> None:
        """End the threads."""
        self._awaited.close()
        self._kept.close()

    def _count(self, error: str | None) -> None:
        if error is not None:
            self._lost()

    def _settle(self, future: "asyncio.Future[None]", error: str | None) -> None:
        """From a channel's thread: one wake-up of the loop for all that came together."""
        with self._settling:
            self._done.append((future, error))
            is_first = len(self._done) == 1
        if is_first:
            self._loop.call_soon_threadsafe(self._settle_all)

    def _settle_all(self) -> None:
        while self._done:
            future, error = self._done[0]
            if not future.done():
                if error is None:
                    future.set_result(None)
                else:
                    future.set_exception(NotRecordedError(error))
            self._done.popleft()


class _Channel:
    """One idempotent producer, the thread that takes its reports, and its successor after a fatal
    error, which ends an idempotent producer for good."""

    def __init__(self, brokers: str, client_id: str, seconds: float, linger_ms: int) -> None:
        self._settings: Mapping[str, Any] = {
            "bootstrap.servers": brokers,
            "client.id": client_id,
            "acks": "all",
            "enable.idempotence": True,
            "partitioner": "murmur2_random",  # else labels never meet their predictions
            "linger.ms": linger_ms,
            "message.timeout.ms": int(seconds * 1_000),
            "message.max.bytes": 1_048_576,
            "queue.buffering.max.messages": MOST_QUEUED,
            "queue.buffering.max.kbytes": MOST_QUEUED_KIB,
        }
        self._fatal = self._closed = False
        self._producer = self._connect()
        self._thread = Thread(target=self._collect, name=f"{client_id}-reports", daemon=True)
        self._thread.start()

    def flush(self, seconds: float) -> int:
        """Wait for all reports, at most so long; how many are missing."""
        return int(self._producer.flush(seconds))

    def send(self, topic: str, key: str, value: bytes, report: Report) -> bool:
        """Queue one record; False if there is no room."""

        def reported(error: KafkaError | None, _message: Message) -> None:
            report(None if error is None else error.str())

        try:
            self._producer.produce(topic, value, key, on_delivery=reported)
        except (BufferError, KafkaException):  # full, or broken until it is replaced
            return False
        return True

    def close(self) -> None:
        """Give up what is queued."""
        self._closed = True
        self._thread.join(2 * POLL_SECONDS)

    def _connect(self) -> Producer:
        return Producer({**self._settings, "error_cb": self._trouble}, logger=SILENT)

    def _trouble(self, error: KafkaError) -> None:
        log.warning("producer", error=str(error))
        self._fatal = self._fatal or error.fatal()

    def _collect(self) -> None:
        while not self._closed:
            self._producer.poll(POLL_SECONDS)
            if self._fatal:
                broken, self._fatal = self._producer, False
                self._producer = self._connect()
                broken.purge()
                broken.flush(POLL_SECONDS)  # reports what was purged


@dataclass(slots=True)
class MemoryRecorder:
    """The in-memory twin; `refusing` plays a broker that is away, `full` a queue without room."""

    records: list[tuple[str, str, bytes]] = field(default_factory=list)
    refusing: bool = False
    full: bool = False

    async def acknowledged(self, topic: str, key: str, value: bytes) -> None:
        await asyncio.sleep(0)
        if self.refusing:
            raise NotRecordedError("away")
        self.records.append((topic, key, value))

    def sent(self, topic: str, key: str, value: bytes) -> bool:
        if not self.full:
            self.records.append((topic, key, value))
        return not self.full

    async def flush(self, seconds: float) -> int:
        return 0
