"""Read the registry's facts, and append to them as their one writer."""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from time import monotonic
from types import TracebackType
from typing import Any, Final, Self

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)

from driftline.core.fact_chain import BrokenChainError, Draft, follow, seal
from driftline.core.registry.consequences import deployment_of
from driftline.core.registry.proof import MOST_BYTES
from driftline.runtime.errors import DriftlineError
from driftline.runtime.kafka_log import SILENT
from driftline_schemas.codec import encode
from driftline_schemas.partitioner import partition_of
from driftline_schemas.registry import Fact, InstallationBody
from driftline_schemas.topics import DEPLOYMENTS, REGISTRY

SECONDS: Final = 15.0
AWAY: Final = frozenset({"_TIMED_OUT", "_TRANSPORT", "_ALL_BROKERS_DOWN", "_RESOLVE"})
NO_TOPIC: Final = frozenset({"UNKNOWN_TOPIC_OR_PART", "_UNKNOWN_TOPIC", "_UNKNOWN_PARTITION"})
FENCED: Final = frozenset({"_FENCED", "PRODUCER_FENCED", "INVALID_PRODUCER_EPOCH"})


class RegistryError(DriftlineError):
    """The registry cannot be read or written; the message says why."""


class RegistryUnreachableError(RegistryError):
    """No broker answered in time: waiting may help."""


class RegistryFencedError(RegistryError):
    """Another writer took over: nothing was written."""


def read_registry(brokers: str, prefix: str, seconds: float | None = None) -> list[Fact]:
    """All committed facts, their chain verified. RegistryError if that is impossible."""
    return list(iterate_registry(brokers, prefix, seconds))


def iterate_registry(
    brokers: str, prefix: str, seconds: float | None = None
) -> Generator[Fact, None, None]:
    """As `read_registry`, one by one; it may take longer than `seconds` while facts arrive."""
    topic = REGISTRY.full_name(prefix)
    last = None
    try:
        with closing(read_records(brokers, prefix, seconds)) as records:
            for raw in records:
                last = follow(raw, last)
                yield last
    except BrokenChainError as error:
        raise RegistryError(f"The registry {topic} cannot be followed: {error}.") from None


def read_records(
    brokers: str, prefix: str, seconds: float | None = None
) -> Generator[bytes, None, None]:
    """The committed records as they lie in the log, unchecked."""
    return _read_to_end(brokers, REGISTRY.full_name(prefix), seconds or SECONDS)


def installation(facts: Iterable[Fact]) -> InstallationBody | None:
    """What every process must agree on; None before `driftline topics init`. Takes no more facts
    than it needs."""
    bodies = (fact.body for fact in facts if fact.action == "installation")
    found = next(bodies, None)
    return None if found is None else InstallationBody.model_validate(found)


def read_installation(brokers: str, prefix: str) -> InstallationBody | None:
    """As `installation`, from the log, which may be long: it is the first fact that says it."""
    with closing(iterate_registry(brokers, prefix)) as facts:
        return installation(facts)


class RegistryWriter:
    """Appends facts, and the deployments that follow from them.

    Entering fences every other writer and reads the log to its end: each fact goes to `learn`
    (without one, to `facts`). Whoever enters later fences this one: its `append` then raises
    RegistryFencedError. After any other error the outcome of an `append` is open: enter anew.
    """

    def __init__(
        self,
        brokers: str,
        prefix: str,
        now: Callable[[], int],
        learn: Callable[[Fact], None] | None = None,
    ) -> None:
        self.facts: list[Fact] = []
        self._brokers = brokers
        self._prefix = prefix
        self._now = now
        self._learn = learn or self.facts.append
        self._last: Fact | None = None

    def __enter__(self) -> Self:
        with self._sentences():
            self._producer = Producer(
                {
                    "bootstrap.servers": self._brokers,
                    "transactional.id": f"{self._prefix}.registry",
                    "transaction.timeout.ms": 60_000,
                    "message.max.bytes": 1_048_576,
                    "linger.ms": 0,
                },
                logger=SILENT,
            )
            self._producer.init_transactions(SECONDS)
        for fact in iterate_registry(self._brokers, self._prefix):
            self._take(fact)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:  # fmt: skip
        self._producer.poll(0)

    def append(self, drafts: Sequence[Draft]) -> list[Fact]:
        """Add the drafts in one transaction: all of them become facts, or none."""
        added: list[Fact] = []
        records = []
        for draft in drafts:
            fact, raw = seal(draft, added[-1] if added else self._last, self._now())
            if len(raw) > MOST_BYTES:
                raise RegistryError(
                    f"The fact has {len(raw):,} bytes, over the limit of {MOST_BYTES:,}:"
                    " watch fewer features."
                )
            added.append(fact)
            records.append(raw)
        with self._sentences():
            self._commit(added, records)
        for fact in added:
            self._take(fact)
        return added

    def _take(self, fact: Fact) -> None:
        self._last = fact
        self._learn(fact)

    def _commit(self, facts: Sequence[Fact], records: Sequence[bytes]) -> None:
        self._producer.begin_transaction()
        for raw in records:
            self._producer.produce(REGISTRY.full_name(self._prefix), raw, partition=0)
        for deployment in filter(None, map(deployment_of, facts)):
            self._producer.produce(
                DEPLOYMENTS.full_name(self._prefix),
                encode(deployment),
                deployment.model,
                partition_of(deployment.model, DEPLOYMENTS.partitions),
            )
        try:
            self._producer.commit_transaction(SECONDS)
        except KafkaException as error:
            if error.args[0].txn_requires_abort():
                self._producer.abort_transaction(SECONDS)
            raise

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        try:
            yield
        except KafkaException as error:
            code: KafkaError = error.args[0]
            if code.name() in FENCED or code.fatal():
                raise RegistryFencedError(
                    "Another command wrote to the registry at the same time: nothing was written"
                    " by this one, run it again."
                ) from None
            raise _sentence(self._brokers, REGISTRY.full_name(self._prefix), code) from None


def _read_to_end(brokers: str, topic: str, seconds: float) -> Generator[bytes, None, None]:
    deadline = monotonic() + seconds
    consumer = Consumer(_reader_settings(brokers, topic), logger=SILENT)
    with closing(consumer):
        _check_topic(consumer, brokers, topic, seconds)
        consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
        while monotonic() < deadline:
            if (message := consumer.poll(0.5)) is None:
                continue
            if (error := message.error()) is None:
                yield message.value() or b""
                deadline = monotonic() + seconds
            elif error.name() == "_PARTITION_EOF":
                return
            elif not error.retriable() and error.name() not in AWAY:
                raise _sentence(brokers, topic, error)
    raise RegistryUnreachableError(f"No broker answers at {brokers}: the registry was not read.")


def _check_topic(consumer: Consumer, brokers: str, topic: str, seconds: float) -> None:
    try:
        found = consumer.list_topics(topic, timeout=seconds).topics[topic]
    except KafkaException as error:
        raise _sentence(brokers, topic, error.args[0]) from None
    if found.error is not None:
        raise _sentence(brokers, topic, found.error)


def _reader_settings(brokers: str, topic: str) -> dict[str, Any]:
    """A consumer outside any group (librdkafka wants a name all the same, and does not use it)."""
    return {
        "bootstrap.servers": brokers,
        "group.id": f"{topic}.reader",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "fetch.wait.max.ms": 50,  # at the end the broker answers at once
        "isolation.level": "read_committed",
        "auto.offset.reset": "earliest",
    }


def _sentence(brokers: str, topic: str, error: KafkaError) -> RegistryError:
    if error.name() in NO_TOPIC:
        return RegistryError(f"Topic {topic} does not exist: run `driftline topics init`.")
    if error.name() in AWAY:
        return RegistryUnreachableError(f"No broker answers at {brokers}.")
    return RegistryError(f"Kafka refused: {error.str()}.")
