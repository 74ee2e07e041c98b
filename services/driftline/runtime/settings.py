"""What a process is told from outside: environment variables that begin with DRIFTLINE_."""

import re
import socket
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from driftline.runtime.errors import DriftlineError

UNITS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?")
SECRETS: Final = ("slack_webhook_url", "pagerduty_routing_key", "pagerduty_url", "webhook_url")


def parse_duration(text: str) -> timedelta:
    """`7d`, `5m`, `60s`, `250ms`, or a bare number of seconds; ValueError for anything else."""
    if not (parts := DURATION.fullmatch(text.strip())):
        raise ValueError(f"{text!r} is no duration: write for example 7d, 12h, 5m, 60s or 250ms")
    return timedelta(seconds=float(parts[1]) * UNITS[parts[2] or "s"])


def _duration(value: object) -> object:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return timedelta(seconds=value)
    return parse_duration(value) if isinstance(value, str) else value


def _whole_seconds(value: object) -> object:
    duration = _duration(value)
    if not isinstance(duration, timedelta):
        return duration
    if duration % timedelta(seconds=1):
        raise ValueError("must be whole seconds")
    return duration // timedelta(seconds=1)


Duration = Annotated[timedelta, BeforeValidator(_duration), Field(gt=timedelta(0))]
WholeSeconds = Annotated[int, BeforeValidator(_whole_seconds), Field(gt=0)]


class Settings(BaseSettings):
    """Settings that several roles share. A secret may come from a file: `..._FILE` names it."""

    model_config = SettingsConfigDict(
        env_prefix="DRIFTLINE_", env_ignore_empty=True, frozen=True, extra="ignore",
        use_attribute_docstrings=True,
    )  # fmt: skip

    # Where things are.
    brokers: str = "127.0.0.1:9092"
    """Kafka's addresses, `host:port`, separated by commas."""
    redis_url: str = "redis://127.0.0.1:6379/0"
    """Redis, with its database, and with user and password where it wants them. Joiner, monitor and
    learner need it, the other roles do without."""
    topic_prefix: str = Field(default="driftline", pattern=r"^[A-Za-z0-9._-]{1,100}$")
    """Beginning of the names of topics, consumer groups and keys: one for each installation."""
    artifacts_url: str | None = None
    """Where the bytes of models and of files lie: a URL of fsspec, such as `file:///var/driftline`
    or `s3://bucket/driftline`. Models that learn need it; the monitor, if it has one, writes its
    state there, from which it goes on when Redis is lost."""
    replication: int = Field(default=1, gt=0)
    """Copies of each topic that `driftline topics init` creates."""
    min_insync_replicas: int | None = Field(default=None, gt=0)
    """Copies that must have a record before it counts as written. Default: 2 from 3 copies on,
    else 1."""

    # What every process of an installation must agree on; the registry's first fact records it.
    label_horizon: Duration = timedelta(days=7)
    """A label that comes this much later than its prediction is still joined."""
    repeat_window: Duration = timedelta(hours=1)
    """A second label this much later than the first is a repeat, or a correction."""
    pane_seconds: WholeSeconds = 60
    """Length of a pane, the bucket of event time in which predictions are counted."""
    pane_grace_seconds: WholeSeconds = Field(
        default_factory=lambda known: known.get("pane_seconds", 60)
    )
    """How long after its end a pane stays open. Default: one pane."""
    bins_lead_seconds: WholeSeconds = 60
    """From a specification's fact until its bins count."""

    # This process.
    replica: str = Field(default_factory=socket.gethostname)
    """Name of this process among those of its role, the same after a restart; also its static id
    in the consumer group. Default: the host's name."""
    metrics_host: str = "127.0.0.1"
    """Where `/metrics`, `/healthz` and `/readyz` are served."""
    metrics_port: int | None = None
    """Their port. Default: the first free one from 9100 up."""
    log_level: str = "info"
    """The least severe log lines that are written: debug, info, warning, error or critical."""
    joiner_memory_seconds: float = Field(default=60.0, ge=0)
    """Seconds that a prediction waits for its label in memory; then it waits in Redis."""
    joiner_memory_mb: float = Field(default=256.0, ge=0)
    """MB of waiting predictions in memory; beyond that the oldest wait in Redis."""

    # Channels.
    slack_webhook_url: SecretStr | None = None
    """A Slack incoming webhook that gets every alert."""
    pagerduty_routing_key: SecretStr | None = None
    """Routing key of a PagerDuty Events API v2 integration that gets every alert."""
    pagerduty_url: SecretStr | None = None
    """Where PagerDuty's events go. Default: PagerDuty's own address."""
    webhook_url: SecretStr | None = None
    """A URL of yours that gets every alert, in the form that Alertmanager sends."""
    slack_webhook_url_file: Path | None = None
    pagerduty_routing_key_file: Path | None = None
    pagerduty_url_file: Path | None = None
    webhook_url_file: Path | None = None

    @model_validator(mode="before")
    @classmethod
    def _read_secret_files(cls, values: dict[str, Any]) -> dict[str, Any]:
        return {**values, **secrets_from_files(values, SECRETS, "DRIFTLINE_")}

    @property
    def label_horizon_ms(self) -> int:
        return self.label_horizon // timedelta(milliseconds=1)

    @property
    def repeat_window_ms(self) -> int:
        return self.repeat_window // timedelta(milliseconds=1)

    @property
    def min_isr(self) -> int:
        """Copies that must have a record before it counts as written."""
        return self.min_insync_replicas or (2 if self.replication >= 3 else 1)


def secrets_from_files(
    values: Mapping[str, Any], names: Iterable[str], prefix: str
) -> dict[str, str]:
    """Secrets of these names that are named by a file and not given themselves. Raises ValueError
    with the variable (it begins with `prefix`) whose file cannot be read."""
    secrets = {}
    for name in names:
        file = values.get(f"{name}_file")
        if file and not values.get(name):
            try:
                secrets[name] = Path(file).read_text().strip()
            except OSError as error:
                raise ValueError(
                    f"cannot read {prefix}{name.upper()}_FILE: {error.strerror}"
                ) from None
    return secrets


def load(**given: Any) -> Settings:
    """Settings from the environment; `given` wins. DriftlineError names the variable at fault."""
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        name = "_".join(str(step) for step in fault["loc"]).upper()
        sentence = fault["msg"].removeprefix("Value error, ")
        raise DriftlineError(f"DRIFTLINE_{name}: {sentence}" if name else sentence) from None
