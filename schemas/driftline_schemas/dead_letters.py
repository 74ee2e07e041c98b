"""A refused record with its reason and bytes. Identity: topic, partition, offset."""

from typing import Final, Literal

from driftline_schemas.fields import Event, Sha256

Reason = Literal[
    "empty", "invalid_json", "not_an_object", "missing_field", "invalid_field", "too_large",
    "too_deep", "too_many_features", "misplaced", "poison",
]  # fmt: skip
KEPT_BYTES: Final = 256 * 1024


class DeadLetter(Event):
    """`value` is base64 of the first 256 KiB; `sha256` and `length` are those of the whole."""

    reason: Reason
    sentence: str
    topic: str
    partition: int
    offset: int
    service: str
    version: str
    key: str | None = None
    value: str | None = None
    sha256: Sha256
    length: int
