"""Reads the topics as any subscriber would, without a group, and keeps what the summary needs."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import orjson
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from driftline.demo.stream import row_of
from driftline_schemas.alerts import Alert
from driftline_schemas.codec import UnreadableEvent, decode
from driftline_schemas.fields import Output, parse_time
from driftline_schemas.registry import Fact, LearningMetric, RegistryCommand
from driftline_schemas.topics import (
    ALERTS,
    DEAD_LETTERS,
    JOURNAL,
    LEARNING_METRICS,
    NOTIFICATIONS,
    PREDICTIONS,
    REGISTRY,
    REGISTRY_COMMANDS,
    UNMATCHED,
    VERDICTS,
)
from driftline_schemas.verdicts import Verdict

WATCHED = (
    PREDICTIONS, JOURNAL, UNMATCHED, VERDICTS, ALERTS, NOTIFICATIONS, DEAD_LETTERS, REGISTRY,
    REGISTRY_COMMANDS, LEARNING_METRICS,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Labelled:
    """A prediction with its label: who made it, when (append time in ms), and by how much it is
    wrong (of classes 0 or 1)."""

    version: str
    at: int
    error: float


@dataclass(slots=True)
class Observed:
    """What has been seen so far."""

    rows: list[tuple[int, int]] = field(default_factory=list)  # append time, row
    labelled: dict[str, Labelled] = field(default_factory=dict)  # by id, in the journal's order
    facts: dict[int, Fact] = field(default_factory=dict)  # by seq
    commands: set[str] = field(default_factory=set)  # their ids
    figures: dict[str, LearningMetric] = field(default_factory=dict)  # newest of each lineage
    unmatched: set[tuple[int, int]] = field(default_factory=set)
    dead_letters: set[tuple[str, int, int]] = field(default_factory=set)
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    alerts: list[Alert] = field(default_factory=list)
    sent: set[tuple[str, int, str]] = field(default_factory=set)

    @property
    def is_decided(self) -> bool:
        """Whether the registry has answered every command."""
        return self.commands <= {fact.command_id for fact in self.facts.values()}

    def row_at(self, time: int) -> int:
        """The last row predicted at or before `time` (ms)."""
        return max((row for at, row in self.rows if at <= time), default=0)


class Observer:
    """Follows the topics of one installation from the beginning."""

    def __init__(self, brokers: str, prefix: str) -> None:
        self.seen = Observed()
        self._names = {topic.full_name(prefix): topic for topic in WATCHED}
        self._consumer = Consumer(
            {
                "bootstrap.servers": brokers,
                "group.id": f"{prefix}.demo-observer",  # wanted by the client, never joined
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
            }
        )
        self._consumer.assign(
            [
                TopicPartition(name, partition, OFFSET_BEGINNING)
                for name, topic in self._names.items()
                for partition in range(topic.partitions)
            ]
        )

    def poll(self, seconds: float) -> list[Alert | Fact]:
        """Take what has come; the alert revisions and facts among it that are new."""
        known, decided = len(self.seen.alerts), len(self.seen.facts)
        for topic, partition, offset, time, value in self._messages(seconds):
            with suppress(UnreadableEvent):
                self._take(topic, partition, offset, time, value)
        return [*self.seen.alerts[known:], *islice(self.seen.facts.values(), decided, None)]

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()

    def _messages(self, seconds: float) -> Iterator[tuple[str, int, int, int, bytes]]:
        for message in self._consumer.consume(1_000, seconds):
            topic, value = message.topic(), message.value()
            if message.error() is None and topic and value:
                _, time = message.timestamp()
                yield topic, message.partition() or 0, message.offset() or 0, time, value

    def _take(self, topic: str, partition: int, offset: int, time: int, value: bytes) -> None:
        seen, kind = self.seen, self._names[topic]
        if kind is VERDICTS:
            verdict = decode(Verdict, value)
            seen.verdicts[verdict.verdict_id] = verdict
        elif kind is REGISTRY:
            fact = decode(Fact, value)
            seen.facts[fact.seq] = fact
        elif kind is REGISTRY_COMMANDS:
            seen.commands.add(decode(RegistryCommand, value).command_id)
        elif kind is LEARNING_METRICS:
            metric = decode(LearningMetric, value)
            if metric.kind == "metric":
                seen.figures[metric.pipeline] = metric
        elif kind is ALERTS:
            alert = decode(Alert, value)
            if all((a.alert_id, a.revision) != (alert.alert_id, alert.revision)
                   for a in seen.alerts):  # fmt: skip
                seen.alerts.append(alert)
        else:
            self._take_record(kind.name, offset, partition, time, orjson.loads(value))

    def _take_record(
        self, kind: str, offset: int, partition: int, time: int, record: dict[str, Any]
    ) -> None:
        seen = self.seen
        if kind == PREDICTIONS.name:
            seen.rows.append((time, row_of(record["prediction_id"])))
        elif kind == JOURNAL.name and record.get("kind") == "joined":
            at = parse_time(record["prediction_ts"])
            error = error_of(record["prediction"], record["label"])
            labelled = Labelled(record["model_version"], at, error)
            seen.labelled.setdefault(record["prediction_id"], labelled)
        elif kind == UNMATCHED.name:
            seen.unmatched.add(tuple(record["source_tp"]))
        elif kind == DEAD_LETTERS.name:
            seen.dead_letters.add((record["topic"], record["partition"], record["offset"]))
        elif kind == NOTIFICATIONS.name and record["result"] == "sent":
            seen.sent.add((record["alert_id"], record["revision"], record["channel"]))


def error_of(prediction: Output, label: Output) -> float:
    """Of numbers their distance, of classes whether they differ."""
    if isinstance(prediction, str) or isinstance(label, str):
        return float(prediction != label)
    return abs(prediction - label)
