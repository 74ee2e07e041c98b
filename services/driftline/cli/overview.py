"""What `driftline status` tells: gathered once, shown by `status_screen`, or as JSON."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from driftline.cli.role_progress import Progress, by_topic, is_needed
from driftline.core.registry.confirmations import Confirmations, confirmations
from driftline.core.registry.rows import model_row
from driftline.core.registry.state import RegistryState
from driftline.runtime.first_contact import BrokerLook
from driftline.runtime.redis_looks import RedisLook
from driftline_schemas.alerts import Alert
from driftline_schemas.control import DeployedBody
from driftline_schemas.fields import format_time
from driftline_schemas.registry import ScorerStatus

SILENT_MS: Final = 15_000  # a scorer says every 5 s what it serves
IS_OPEN: Final = ("firing", "worse")


@dataclass(slots=True)
class Overview:
    """One look at an installation; what is None or empty could not be seen (`down` says why)."""

    prefix: str
    at: int
    brokers: str
    redis_place: str
    broker: BrokerLook | None = None
    cluster: Sequence[BrokerLook] = ()
    topics: int = 0
    topics_wanted: int = 0
    redis: RedisLook | None = None
    roles: Mapping[str, Progress] = field(default_factory=dict)
    alerts: Sequence[Alert] = ()
    dead_letters: Counter[str] = field(default_factory=Counter)
    registry: RegistryState | None = None
    scorers: Sequence[ScorerStatus] = ()
    down: list[str] = field(default_factory=list)  # a sentence each

    @property
    def somebody_learns(self) -> bool:
        """Whether any model has pipelines."""
        models = self.registry.models.values() if self.registry else ()
        return any(model.spec and model.spec.body.spec.pipelines for model in models)

    def is_needed(self, role: str) -> bool:
        """Whether the installation misses this role while nobody plays it."""
        return is_needed(self.roles[role].now, somebody_learns=self.somebody_learns)

    def note_what_is_down(self) -> None:
        """Add a sentence for each role, broker and scorer that should be there and is not."""
        self.down += [f"Broker {b.address} does not answer: {b.trouble}."
                      for b in self.cluster if b.trouble]  # fmt: skip
        if self.redis and not self.redis.takes_writes:
            self.down.append("Redis takes no writes: it is a read-only replica.")
        if self.broker and self.topics < self.topics_wanted:
            missing = self.topics_wanted - self.topics
            self.down.append(f"{missing} topics are missing: run `driftline topics init`.")
        for role, progress in self.roles.items():
            if not progress.now.members and self.is_needed(role):
                self.down.append(f"No {role} runs: start one with `driftline run {role}`.")
        for scorer in self.silent_scorers():
            seconds = (self.at - scorer.at) // 1_000
            self.down.append(f"Scorer {scorer.scorer_id} has been silent for {seconds} s.")

    def silent_scorers(self) -> list[ScorerStatus]:
        """Scorers that did not sign off and are not heard of."""
        return [s for s in self.scorers if not s.signed_off and self.at - s.at > SILENT_MS]

    def confirmed(self, model: str, deployed: DeployedBody) -> Confirmations:
        """What the scorers say about what is deployed."""
        return confirmations(self.scorers, model, deployed, self.at)

    def as_json(self) -> dict[str, Any]:
        """All of it, for programs."""
        models = self.registry.models if self.registry else {}
        return {
            "prefix": self.prefix,
            "at": format_time(self.at),
            "ok": not self.down,
            "down": self.down,
            "servers": {
                "brokers": self.brokers,
                "kafka": self.broker.release if self.broker else None,
                "cluster": [asdict(each) for each in self.cluster],
                "topics": self.topics,
                "redis": asdict(self.redis) if self.redis else None,
            },
            "roles": [self._role(progress) for progress in self.roles.values()],
            "incidents": [alert.model_dump(mode="json") for alert in self.alerts],
            "dead_letters_last_hour": dict(self.dead_letters),
            "models": [model_row(models[name]) for name in sorted(models)],
            "scorers": [scorer.model_dump(mode="json") for scorer in self.scorers],
        }

    def _role(self, progress: Progress) -> dict[str, Any]:
        now = progress.now
        return {
            "role": now.role,
            "needed": self.is_needed(now.role),
            "members": [asdict(member) for member in now.members],
            "lag": now.total_lag,
            "lag_by_topic": by_topic(now),
            "coming_per_second": round(progress.coming, 1),
            "done_per_second": round(progress.done, 1),
        }


def still_open(alerts: Sequence[Alert]) -> list[Alert]:
    """Of all revisions, oldest first, the newest of each incident that is still open."""
    newest: dict[str, Alert] = {}
    for alert in alerts:
        known = newest.get(alert.alert_id)
        if known is None or alert.revision >= known.revision:
            newest[alert.alert_id] = alert
    found = [alert for alert in newest.values() if alert.status in IS_OPEN]
    return sorted(found, key=lambda alert: alert.opened_at)
