"""Where the API listens, and who may ask."""

from pathlib import Path
from typing import ClassVar

from pydantic import SecretStr
from pydantic_settings import SettingsConfigDict

from driftline.runtime.http_settings import HttpSettings, Port


class ApiSettings(HttpSettings):
    """Variables DRIFTLINE_API_...; a secret may come from a file: `..._FILE` names it."""

    model_config = SettingsConfigDict(env_prefix="DRIFTLINE_API_")
    server: ClassVar[str] = "API"

    port: Port = 8080
    """Port of the API and its page; 0: any free one."""
    token: SecretStr | None = None
    """Token of operators, who may decide; at least 16 characters."""
    viewer_token: SecretStr | None = None
    """Token of those who may only look; at least 16 characters."""
    viewer_token_file: Path | None = None
