"""Where the scorer listens, who may ask, and what an answer waits for."""

from typing import ClassVar, Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from driftline.runtime.http_settings import HttpSettings, Port

Recording = Literal["required", "best_effort"]


class ScorerSettings(HttpSettings):
    """Variables DRIFTLINE_SCORER_...; the secret may come from a file: `..._TOKEN_FILE`."""

    model_config = SettingsConfigDict(env_prefix="DRIFTLINE_SCORER_")
    server: ClassVar[str] = "scorer"

    port: Port = 8081
    """Its port; 0: any free one."""
    recording: Recording = "best_effort"
    """What an answer waits for if its request does not say: `required` answers once the broker has
    the prediction, `best_effort` at once."""
    warm: int = Field(default=4, ge=1, le=1_000)
    """Versions of each model that stay in memory, for a rollback at once."""
