"""Where the API listens, and who may ask."""

from ipaddress import ip_address
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from driftline.runtime.errors import DriftlineError


class ApiSettings(BaseSettings):
    """Variables DRIFTLINE_API_...; a secret may come from a file: `..._FILE` names it."""

    model_config = SettingsConfigDict(env_prefix="DRIFTLINE_API_", frozen=True, extra="ignore")

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65_535)  # 0: any free one
    token: SecretStr | None = None  # of operators
    token_file: Path | None = None
    viewer_token: SecretStr | None = None  # of those who may only look
    viewer_token_file: Path | None = None

    @model_validator(mode="before")
    @classmethod
    def _read_secret_files(cls, values: dict[str, Any]) -> dict[str, Any]:
        read = dict(values)
        for name in ("token", "viewer_token"):
            file = values.get(f"{name}_file")
            if file and not values.get(name):
                try:
                    read[name] = Path(file).read_text().strip()
                except OSError as error:
                    raise ValueError(
                        f"cannot read DRIFTLINE_API_{name.upper()}_FILE: {error.strerror}"
                    ) from None
        return read

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False


def check(settings: ApiSettings) -> None:
    """DriftlineError for an address that others reach, and no token that keeps them out."""
    tokens = [token for token in (settings.token, settings.viewer_token) if token is not None]
    if any(len(token.get_secret_value()) < 16 for token in tokens):
        raise DriftlineError("A token of the API must have at least 16 characters.")
    if not settings.is_local and settings.token is None:
        raise DriftlineError(
            f"The API would listen on {settings.host}, where others reach it: set"
            " DRIFTLINE_API_TOKEN (or DRIFTLINE_API_TOKEN_FILE), or listen on 127.0.0.1."
        )
