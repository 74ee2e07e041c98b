"""The one table of topics: key, number of partitions, retention."""

from dataclasses import dataclass
from typing import Final

DAY: Final = 86_400_000
FOREVER: Final = -1


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. `retention_ms` -1 keeps for ever; `append_time` lets the broker set timestamps."""

    name: str
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
        settings = {"cleanup.policy": "compact" if self.compacted else "delete"}
        if not self.compacted:
            settings["retention.ms"] = str(self.retention_ms)
        if self.append_time:
            settings["message.timestamp.type"] = "LogAppendTime"
        return settings


PREDICTIONS: Final = Topic("predictions", 16, "prediction_id", 14 * DAY, append_time=True)
LABELS: Final = Topic("labels", 16, "prediction_id", 14 * DAY, append_time=True)
JOURNAL: Final = Topic("journal", 8, "model")
UNMATCHED: Final = Topic("unmatched", 8, "model", 30 * DAY)
VERDICTS: Final = Topic("verdicts", 8, "model", 90 * DAY)
ALERTS: Final = Topic("alerts", 8, "model", 90 * DAY)
NOTIFICATIONS: Final = Topic("notifications", 8, "alert_id/channel", compacted=True)
LEARNING_METRICS: Final = Topic("learning-metrics", 8, "model", 90 * DAY)
CHECKPOINTS: Final = Topic("checkpoints", 8, "role/model", compacted=True)
REGISTRY_COMMANDS: Final = Topic("registry-commands", 1, "", 30 * DAY, append_time=True)
REGISTRY: Final = Topic("registry", 1, "")
DEPLOYMENTS: Final = Topic("deployments", 8, "model", compacted=True)
SCORER_STATUS: Final = Topic("scorer-status", 1, "scorer_id", compacted=True)
DEAD_LETTERS: Final = Topic("dead-letters", 4, "original key", 30 * DAY)

TOPICS: Final = (
    PREDICTIONS, LABELS, JOURNAL, UNMATCHED, VERDICTS, ALERTS, NOTIFICATIONS, LEARNING_METRICS,
    CHECKPOINTS, REGISTRY_COMMANDS, REGISTRY, DEPLOYMENTS, SCORER_STATUS, DEAD_LETTERS,
)  # fmt: skip

ROLES: Final = ("joiner", "monitor", "learner", "registry", "alerter")

MAX_RECORD_BYTES: Final = 256 * 1024
MAX_FEATURES: Final = 1_000
MAX_DEPTH: Final = 8
MAX_FEATURE_STRING_BYTES: Final = 1_024


def consumer_group(prefix: str, role: str) -> str:
    """The consumer group of a role."""
    return f"{prefix}.{role}.v1"
