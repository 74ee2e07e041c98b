"""What the doctor has seen of an installation; what could not be seen is None or empty."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from driftline.cli.letters import Letter
from driftline.cli.resent import Resent
from driftline.cli.role_progress import Progress
from driftline.core.registry.state import RegistryState
from driftline.runtime.first_contact import BrokerLook
from driftline.runtime.redis_looks import KeptState, RedisLook
from driftline.runtime.settings import Settings
from driftline.runtime.topic_admin import FoundTopic
from driftline_schemas.journal import Unmatched


@dataclass(frozen=True, slots=True)
class Sampled:
    """A record of `predictions` or `labels`: where it lies, when it came (ms), what it names, and
    the class that it says, if it says one."""

    topic: str  # short
    partition: int
    offset: int
    at: int
    prediction_id: str
    model: str
    producer: str
    predicted_at: int | None = None
    said: str | None = None


@dataclass(frozen=True, slots=True)
class Arrival:
    """A record that came while we looked: our clock before and after it, and the broker's (ms)."""

    before: int
    after: int
    appended: int


@dataclass(slots=True)
class Evidence:
    """Everything that the checks judge."""

    settings: Settings
    now: int
    cluster: Sequence[BrokerLook] = ()
    topics: Mapping[str, FoundTopic] = field(default_factory=dict)
    other_prefixes: Sequence[str] = ()
    registry: RegistryState | None = None
    registry_trouble: str | None = None
    redis: RedisLook | None = None
    redis_trouble: str | None = None
    kept: KeptState | None = None  # of the joiner
    roles: Mapping[str, Progress] = field(default_factory=dict)
    watched_seconds: float = 0.0
    predictions: Sequence[Sampled] = ()
    labels: Sequence[Sampled] = ()
    searched_since: Mapping[int, int] = field(default_factory=dict)  # by partition: ms, 0: all
    arrivals: Sequence[Arrival] = ()
    unmatched: Sequence[Unmatched] = ()
    letters: Sequence[Letter] = ()
    resent: Resent = field(default_factory=Resent)  # of these letters
    predictions_per_second: float = 0.0
    labels_per_second: float = 0.0
    free_bytes: int | None = None  # where artifacts lie, if that is a folder here
    disk_bytes: int = 0

    @property
    def horizon_ms(self) -> int:
        """The installation's, else what this process was told."""
        agreed = self.registry.installation if self.registry else None
        return agreed.label_horizon_ms if agreed else self.settings.label_horizon_ms
