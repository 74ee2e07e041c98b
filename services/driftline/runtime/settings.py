"""What a process is told from outside: environment variables that begin with DRIFTLINE_."""

import re
import socket
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from driftline.runtime.errors import DriftlineError

UNITS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?")
SECRETS: Final = (
    "api_token", "slack_webhook_url", "pagerduty_routing_key", "pagerduty_url", "webhook_url",
)  # fmt: skip


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
        env_prefix="DRIFTLINE_", env_ignore_empty=True, frozen=True, extra="ignore"
    )

    # Where things are.
    brokers: str = "127.0.0.1:9092"
    redis_url: str = "redis://127.0.0.1:6379/0"
    topic_prefix: str = Field(default="driftline", pattern=r"^[A-Za-z0-9._-]{1,100}$")
    artifacts_url: str | None = None  # fsspec
    replication: int = Field(default=1, gt=0)  # copies of each topic
    min_insync_replicas: int | None = Field(default=None, gt=0)  # default: 2 of 3, 1 of 1

    # What every process of an installation must agree on; the registry's first fact records it.
    label_horizon: Duration = timedelta(days=7)  # a label this much later is still joined
    repeat_window: Duration = timedelta(hours=1)  # a second label within it is a repeat
    pane_seconds: WholeSeconds = 60
    pane_grace_seconds: WholeSeconds = Field(  # after its end a pane stays open: default one pane
        default_factory=lambda known: known.get("pane_seconds", 60)
    )
    bins_lead_seconds: WholeSeconds = 60  # from a spec's fact until its bins count

    # This process.
    replica: str = Field(default_factory=socket.gethostname)  # stable name, also the group id
    metrics_host: str = "127.0.0.1"
    metrics_port: int | None = None  # default: the first free one from 9100 up
    log_level: str = "info"
    joiner_memory_seconds: float = Field(default=60.0, ge=0)  # older waiting predictions: Redis
    joiner_memory_mb: float = Field(default=256.0, ge=0)  # as do the oldest beyond so much

    # Channels and secrets.
    api_token: SecretStr | None = None
    slack_webhook_url: SecretStr | None = None
    pagerduty_routing_key: SecretStr | None = None
    pagerduty_url: SecretStr | None = None  # default: PagerDuty's own
    webhook_url: SecretStr | None = None
    api_token_file: Path | None = None
    slack_webhook_url_file: Path | None = None
    pagerduty_routing_key_file: Path | None = None
    pagerduty_url_file: Path | None = None
    webhook_url_file: Path | None = None

    @model_validator(mode="before")
    @classmethod
    def _read_secret_files(cls, values: dict[str, Any]) -> dict[str, Any]:
        return {**values, **_from_files(values, Path.read_text)}

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


def _from_files(values: dict[str, Any], read: Callable[[Path], str]) -> dict[str, str]:
    """Secrets that are named by a file and not given themselves."""
    secrets = {}
    for name in SECRETS:
        file = values.get(f"{name}_file")
        if file and not values.get(name):
            try:
                secrets[name] = read(Path(file)).strip()
            except OSError as error:
                raise ValueError(
                    f"cannot read DRIFTLINE_{name.upper()}_FILE: {error.strerror}"
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
