"""Where a role that answers HTTP listens, and who may ask."""

from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, TypeVar

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from driftline.runtime.errors import DriftlineError
from driftline.runtime.loopback import is_loopback
from driftline.runtime.settings import secrets_from_files
from driftline_schemas.codec import first_fault

SHORTEST_TOKEN: Final = 16  # characters

Port = Annotated[int, Field(ge=0, le=65_535)]


class HttpSettings(BaseSettings):
    """What such roles share; each adds its prefix and its port. A secret may come from a file:
    `..._FILE` names it."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)
    server: ClassVar[str]  # what sentences call it

    host: str = "127.0.0.1"
    """Its address; one that others reach is refused without a token."""
    port: Port
    """Its port; 0: any free one."""
    token: SecretStr | None = None
    """Token of those who ask; at least 16 characters."""
    token_file: Path | None = None

    @model_validator(mode="before")
    @classmethod
    def _read_secret_files(cls, values: dict[str, Any]) -> dict[str, Any]:
        names = [name for name in cls.model_fields if f"{name}_file" in cls.model_fields]
        return {**values, **secrets_from_files(values, names, _prefix(cls))}

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        return is_loopback(self.host)


S = TypeVar("S", bound=HttpSettings)


def load(kind: type[S]) -> S:
    """From the environment; DriftlineError names the variable at fault, or what is missing."""
    try:
        settings = kind()
    except ValidationError as error:
        raise DriftlineError(f"{_prefix(kind)}...: {first_fault(error)}") from None
    check(settings)
    return settings


def check(settings: HttpSettings) -> None:
    """DriftlineError for an address that others reach, and no token that keeps them out."""
    tokens = [value for _, value in settings if isinstance(value, SecretStr)]
    if any(len(token.get_secret_value()) < SHORTEST_TOKEN for token in tokens):
        raise DriftlineError(
            f"A token of the {settings.server} must have at least {SHORTEST_TOKEN} characters."
        )
    if not settings.is_local and settings.token is None:
        variable = f"{_prefix(type(settings))}TOKEN"
        raise DriftlineError(
            f"The {settings.server} would listen on {settings.host}, where others reach it: set"
            f" {variable} (or {variable}_FILE), or listen on 127.0.0.1."
        )


def _prefix(kind: type[HttpSettings]) -> str:
    return kind.model_config["env_prefix"]
