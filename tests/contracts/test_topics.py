"""The table of topics says what the contracts promise."""

import pytest

from driftline_schemas.alerts import Alert
from driftline_schemas.dead_letters import DeadLetter
from driftline_schemas.fields import Event
from driftline_schemas.journal import Unmatched
from driftline_schemas.labels import Label
from driftline_schemas.notifications import Notification
from driftline_schemas.predictions import Prediction
from driftline_schemas.registry import (
    Checkpoint,
    Deployment,
    Fact,
    LearningMetric,
    RegistryCommand,
    ScorerStatus,
)
from driftline_schemas.topics import JOURNAL, LABELS, PREDICTIONS, TOPICS, Topic, consumer_group
from driftline_schemas.verdicts import Verdict

BY_NAME = {topic.name: topic for topic in TOPICS}
DAY = 86_400_000
PROMISED: list[tuple[str, type[Event] | None, int, str, str]] = [
    ("predictions", Prediction, 16, "prediction_id", "14 d, append time"),
    ("labels", Label, 16, "prediction_id", "14 d, append time"),
    ("journal", None, 8, "model", "keep"),
    ("unmatched", Unmatched, 8, "model", "30 d"),
    ("verdicts", Verdict, 8, "model", "90 d"),
    ("alerts", Alert, 8, "model", "90 d"),
    ("notifications", Notification, 8, "alert_id/channel", "compact"),
    ("learning-metrics", LearningMetric, 8, "model", "90 d"),
    ("checkpoints", Checkpoint, 8, "role/model", "compact"),
    ("registry-commands", RegistryCommand, 1, "", "30 d, append time"),
    ("registry", Fact, 1, "", "keep"),
    ("deployments", Deployment, 8, "model", "compact"),
    ("scorer-status", ScorerStatus, 1, "scorer_id", "compact"),
    ("dead-letters", DeadLetter, 4, "original key", "30 d"),
]


@pytest.mark.parametrize(
    ("name", "event", "partitions", "key", "kept"), PROMISED, ids=[row[0] for row in PROMISED]
)
def test_a_topic_is_as_the_contracts_promise(
    name: str, event: type[Event] | None, partitions: int, key: str, kept: str
) -> None:
    topic = BY_NAME[name]
    assert (topic.partitions, topic.key, how_kept(topic)) == (partitions, key, kept)
    assert topic.events == (event,) if event else len(topic.events) == 10


def how_kept(topic: Topic) -> str:
    settings = topic.settings()
    if settings["cleanup.policy"] == "compact":
        return "compact"
    retention = int(settings["retention.ms"])
    time = ", append time" if settings.get("message.timestamp.type") == "LogAppendTime" else ""
    return "keep" if retention == -1 else f"{retention // DAY} d{time}"


def test_the_table_has_no_other_topics() -> None:
    assert [topic.name for topic in TOPICS] == [row[0] for row in PROMISED]


def test_predictions_and_labels_are_partitioned_alike() -> None:
    assert (PREDICTIONS.partitions, PREDICTIONS.key) == (LABELS.partitions, LABELS.key)


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_the_fields_of_a_key_are_fields_of_its_events(topic: Topic) -> None:
    if topic.key == "original key":
        return
    shared = [
        event for event in topic.events if event.__name__ != "Mark"
    ]  # goes to every partition
    for field in filter(None, topic.key.split("/")):
        assert all(field in event.model_fields for event in shared)


def test_names_carry_the_prefix_and_the_version() -> None:
    assert JOURNAL.full_name("demo") == "demo.journal.v1"
    assert consumer_group("demo", "joiner") == "demo.joiner.v1"
