"""Create the topics of the table and find out where the broker differs from it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from typing import Any, Final

from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # exported, not declared so
    AdminClient,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from driftline.runtime.errors import DriftlineError
from driftline.runtime.kafka_log import SILENT
from driftline.runtime.registry_log import AWAY
from driftline.runtime.settings import Settings
from driftline_schemas.topics import FOREVER, LABELS, PREDICTIONS, TOPICS, Topic

SECONDS: Final = 10.0
SHOWN_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class FoundTopic:
    """A topic as the broker has it."""

    topic_id: str
    partitions: int
    replicas: int
    settings: Mapping[str, str]


def wanted_settings(topic: Topic, settings: Settings) -> dict[str, str]:
    """The topic's configuration; inputs are kept for at least twice the label horizon."""
    wanted = topic.settings()
    if topic in (PREDICTIONS, LABELS):
        wanted["retention.ms"] = str(max(topic.retention_ms, 2 * settings.label_horizon_ms))
    if settings.min_isr > 1:
        wanted["min.insync.replicas"] = str(settings.min_isr)
    return wanted


def create_missing(settings: Settings, found: Mapping[str, FoundTopic]) -> list[str]:
    """Create what is not among `found`; the names. Returns when the broker describes them all."""
    new = [
        NewTopic(
            topic.full_name(settings.topic_prefix),
            num_partitions=topic.partitions,
            replication_factor=settings.replication,
            config=wanted_settings(topic, settings),
        )
        for topic in TOPICS
        if topic.full_name(settings.topic_prefix) not in found
    ]
    if not new:
        return []
    admin = _admin(settings)  # a client that is collected ends its requests
    with _sentences(settings.brokers):
        for future in admin.create_topics(new, request_timeout=SECONDS).values():
            _ignoring_existing(future)
    _await_topics(settings)
    return [topic.topic for topic in new]


def find_topics(settings: Settings) -> dict[str, FoundTopic]:
    """Our topics that the broker has, by full name."""
    admin = _admin(settings)
    with _sentences(settings.brokers):
        known = admin.list_topics(timeout=SECONDS).topics
        names = [t.full_name(settings.topic_prefix) for t in TOPICS]
        present = [name for name in names if name in known]
        if not present:
            return {}
        configs = _configs(admin, present)
        answers = admin.describe_topics(TopicCollection(present), request_timeout=SECONDS)
        found = {}
        for name, answer in answers.items():
            about = answer.result(SECONDS)
            replicas = min(len(partition.replicas) for partition in about.partitions)
            found[name] = FoundTopic(
                str(about.topic_id), len(about.partitions), replicas, configs[name]
            )
        return found


def faults(settings: Settings, found: Mapping[str, FoundTopic]) -> list[str]:
    """Where the broker differs from the table, a sentence each."""
    sentences: list[str] = []
    for topic in TOPICS:
        name = topic.full_name(settings.topic_prefix)
        if name in found:
            sentences += _topic_faults(name, topic, settings, found[name])
        else:
            sentences.append(f"{name} is missing: run `driftline topics init`.")
    return sentences


def partition_faults(settings: Settings, found: Mapping[str, FoundTopic]) -> list[str]:
    """Topics with another number of partitions than the table's."""
    return [
        f"{name} has {found[name].partitions} partitions instead of {topic.partitions}, and counts"
        " are fixed for life: delete it or choose another DRIFTLINE_TOPIC_PREFIX."
        for topic in TOPICS
        if (name := topic.full_name(settings.topic_prefix)) in found
        and found[name].partitions != topic.partitions
    ]


def _topic_faults(name: str, topic: Topic, settings: Settings, found: FoundTopic) -> Iterator[str]:
    yield from partition_faults(settings, {name: found})
    if found.replicas < settings.replication:
        yield f"{name} has {found.replicas} replicas instead of {settings.replication}."
    wanted = wanted_settings(topic, settings)
    retention = wanted.pop("retention.ms", None)
    for key, value in wanted.items():
        if found.settings.get(key) != value:
            yield f"{name} has {key}={found.settings.get(key)} instead of {value}."
    kept = int(found.settings.get("retention.ms", FOREVER))
    if retention and kept != FOREVER and (int(retention) == FOREVER or kept < int(retention)):
        least = "for ever" if int(retention) == FOREVER else f"{_days(int(retention))} days"
        why = " (twice the label horizon)" if topic in (PREDICTIONS, LABELS) else ""
        yield f"{name} keeps records for {_days(kept)} days, it must keep them {least}{why}."


def _days(milliseconds: int) -> str:
    return f"{timedelta(milliseconds=milliseconds) / timedelta(days=1):g}"


def _configs(admin: AdminClient, names: Sequence[str]) -> dict[str, dict[str, str]]:
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
    answers = admin.describe_configs(resources, request_timeout=SECONDS)
    return {
        resource.name: {
            key: entry.value
            for key, entry in answer.result(SECONDS).items()
            if entry.value is not None
        }
        for resource, answer in answers.items()
    }


def _await_topics(settings: Settings) -> None:
    """A describe right after a create can answer that the topic is unknown."""
    deadline = monotonic() + SHOWN_SECONDS
    while True:
        try:
            complete = len(find_topics(settings)) == len(TOPICS)
        except DriftlineError:
            complete = False
        if complete:
            return
        if monotonic() > deadline:
            raise DriftlineError("The broker accepted the topics but does not show all of them.")


def _ignoring_existing(future: Any) -> None:
    try:
        future.result(SECONDS)
    except KafkaException as error:
        if error.args[0].name() != "TOPIC_ALREADY_EXISTS":
            raise


def _admin(settings: Settings) -> AdminClient:
    return AdminClient({"bootstrap.servers": settings.brokers}, logger=SILENT)


@contextmanager
def _sentences(brokers: str) -> Iterator[None]:
    try:
        yield
    except KafkaException as error:
        if error.args[0].name() in AWAY:
            raise DriftlineError(f"No broker answers at {brokers}.") from None
        raise DriftlineError(f"Kafka refused: {error.args[0].str()}.") from None
