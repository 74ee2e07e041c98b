"""A refused record with its reason and bytes. Identity: topic, partition, offset."""

from base64 import b64decode
from typing import Annotated, Final, Literal

from pydantic import AfterValidator

from driftline_schemas.fields import Event, Sha256

Reason = Literal[
    "empty", "invalid_json", "not_an_object", "missing_field", "invalid_field", "too_large",
    "too_deep", "too_many_features", "misplaced", "poison",
]  # fmt: skip
KEPT_BYTES: Final = 256 * 1024


def _readable(value: str) -> str:
    b64decode(value)  # its error is a ValueError
    return value


Base64 = Annotated[str, AfterValidator(_readable)]


class DeadLetter(Event):
    """`value` is base64 of the first 256 KiB; `sha256` and `length` are those of the whole."""

    reason: Reason
    """A code."""
    sentence: str
    """The same for people."""
    topic: str
    """Where the record lies."""
    partition: int
    """Where the record lies."""
    offset: int
    """Where the record lies."""
    service: str
    """Who refused it."""
    version: str
    """Of the service."""
    key: str | None = None
    """The record's own."""
    value: Base64 | None = None
    """Its bytes in base64, at most the first 256 KiB."""
    sha256: Sha256
    """Of all its bytes."""
    length: int
    """How many there are."""
