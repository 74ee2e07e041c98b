"""The one table of topics: event types, key, number of partitions, retention."""

from dataclasses import dataclass
from typing import Final

from driftline_schemas.alerts import Alert
from driftline_schemas.control import CONTROLS
from driftline_schemas.dead_letters import DeadLetter
from driftline_schemas.fields import Event
from driftline_schemas.journal import Correction, Counts, Joined, Mark, Unmatched
from driftline_schemas.labels import Label
from driftline_schemas.limits import MAX_DEPTH as MAX_DEPTH
from driftline_schemas.limits import MAX_FEATURE_STRING_BYTES as MAX_FEATURE_STRING_BYTES
from driftline_schemas.limits import MAX_FEATURES as MAX_FEATURES
from driftline_schemas.limits import MAX_RECORD_BYTES as MAX_RECORD_BYTES
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
from driftline_schemas.verdicts import Verdict

HOUR: Final = 3_600_000
DAY: Final = 24 * HOUR
FOREVER: Final = -1


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. `retention_ms` -1 keeps for ever; `append_time` lets the broker set timestamps."""

    name: str
    events: tuple[type[Event], ...]
    partitions: int
    key: str
    retention_ms: int = FOREVER
    compacted: bool = False
    append_time: bool = False

    def full_name(self, prefix: str) -> str:
        """The name on the broker."""
        return f"{prefix}.{self.name}.v1"

    def settings(self) -> dict[str, str]:
        """Topic configuration for the broker."""
        if self.compacted:
            # The segment that is written to is not compacted, and readers read it all.
            settings = {"cleanup.policy": "compact", "segment.ms": str(HOUR)}
        else:
            settings = {"cleanup.policy": "delete", "retention.ms": str(self.retention_ms)}
        if self.append_time:
            settings["message.timestamp.type"] = "LogAppendTime"
        return settings


PREDICTIONS: Final = Topic(
    "predictions", (Prediction,), 16, "prediction_id", 14 * DAY, append_time=True
)
LABELS: Final = Topic("labels", (Label,), 16, "prediction_id", 14 * DAY, append_time=True)
JOURNAL: Final = Topic("journal", (Joined, Correction, Counts, Mark, *CONTROLS), 8, "model")
UNMATCHED: Final = Topic("unmatched", (Unmatched,), 8, "model", 30 * DAY)
VERDICTS: Final = Topic("verdicts", (Verdict,), 8, "model", 90 * DAY)
ALERTS: Final = Topic("alerts", (Alert,), 8, "model", 90 * DAY)
NOTIFICATIONS: Final = Topic(
    "notifications", (Notification,), 8, "alert_id/channel", compacted=True
)
LEARNING_METRICS: Final = Topic("learning-metrics", (LearningMetric,), 8, "model", 90 * DAY)
CHECKPOINTS: Final = Topic("checkpoints", (Checkpoint,), 8, "role/model", compacted=True)
REGISTRY_COMMANDS: Final = Topic(
    "registry-commands", (RegistryCommand,), 1, "", 30 * DAY, append_time=True
)
REGISTRY: Final = Topic("registry", (Fact,), 1, "")
DEPLOYMENTS: Final = Topic("deployments", (Deployment,), 8, "model", compacted=True)
SCORER_STATUS: Final = Topic("scorer-status", (ScorerStatus,), 1, "scorer_id", compacted=True)
DEAD_LETTERS: Final = Topic("dead-letters", (DeadLetter,), 4, "original key", 30 * DAY)

TOPICS: Final = (
    PREDICTIONS, LABELS, JOURNAL, UNMATCHED, VERDICTS, ALERTS, NOTIFICATIONS, LEARNING_METRICS,
    CHECKPOINTS, REGISTRY_COMMANDS, REGISTRY, DEPLOYMENTS, SCORER_STATUS, DEAD_LETTERS,
)  # fmt: skip

ROLES: Final = ("joiner", "monitor", "learner", "registry", "alerter")


def consumer_group(prefix: str, role: str) -> str:
    """The consumer group of a role."""
    return f"{prefix}.{role}.v1"
