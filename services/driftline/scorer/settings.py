"""Where the scorer listens, who may ask, and what an answer waits for."""

from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from driftline.runtime.errors import DriftlineError
from driftline_schemas.codec import first_fault

Recording = Literal["required", "best_effort"]
SHORTEST_TOKEN = 16  # characters


class ScorerSettings(BaseSettings):
    """Variables DRIFTLINE_SCORER_...; the secret may come from a file: DRIFTLINE_SCORER_TOKEN_FILE.

    `recording` is for requests that do not say it themselves: `required` answers once the broker
    has the prediction, `best_effort` at once.
    """

    model_config = SettingsConfigDict(env_prefix="DRIFTLINE_SCORER_", frozen=True, extra="ignore")

    host: str = "127.0.0.1"
    port: int = Field(default=8081, ge=0, le=65_535)  # 0: any free one
    token: SecretStr | None = None
    token_file: Path | None = None
    recording: Recording = "best_effort"
    warm: int = Field(default=4, ge=1, le=1_000)  # versions of each model that stay in memory

    @model_validator(mode="before")
    @classmethod
    def _read_secret_file(cls, values: dict[str, Any]) -> dict[str, Any]:
        file = values.get("token_file")
        if not file or values.get("token"):
            return values
        try:
            return {**values, "token": Path(file).read_text().strip()}
        except OSError as error:
            raise ValueError(f"cannot read DRIFTLINE_SCORER_TOKEN_FILE: {error.strerror}") from None

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False


def load() -> ScorerSettings:
    """From the environment; DriftlineError names the variable at fault, or what is missing."""
    try:
        settings = ScorerSettings()
    except ValidationError as error:
        raise DriftlineError(f"DRIFTLINE_SCORER_...: {first_fault(error)}") from None
    check(settings)
    return settings


def check(settings: ScorerSettings) -> None:
    """DriftlineError for an address that others reach, and no token that keeps them out."""
    token = settings.token
    if token is not None and len(token.get_secret_value()) < SHORTEST_TOKEN:
        raise DriftlineError(f"The scorer's token must have at least {SHORTEST_TOKEN} characters.")
    if token is None and not settings.is_local:
        raise DriftlineError(
            f"The scorer would listen on {settings.host}, where others reach it: set"
            " DRIFTLINE_SCORER_TOKEN (or DRIFTLINE_SCORER_TOKEN_FILE), or listen on 127.0.0.1."
        )
