"""The field types that all events share: times, ids, names, outputs of a model."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated, Final

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StrictFloat,
    StrictInt,
    StringConstraints,
    WithJsonSchema,
)

NO_TIME: Final = "is no RFC 3339 time with an offset from UTC"
TOO_FAR: Final = "is a time before year 2 or after year 9999"
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
ID_PATTERN: Final = r"^[A-Za-z0-9._:-]{1,128}$"
NAME_PATTERN: Final = r"^[^\x00-\x1f\x7f]{1,128}$"
MAX_OUTPUT_CHARACTERS: Final = 1_024
RFC_3339: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
# Year 2 to the end of year 9999, UTC: also the pane that a time lies in can be written again.
EARLIEST, LATEST = -62_104_060_800_000, 253_402_300_799_999


def parse_time(text: str) -> int:
    """RFC 3339 to milliseconds since the epoch; ValueError, which quotes nothing, for the rest."""
    if len(text) == 24 and text[19] == "." and text[23] == "Z":  # the form of nearly every event
        millis = text[20:23]
        if millis.isascii() and millis.isdecimal():
            return _parsed_second(text[:19]) + int(millis)
    return _parsed(text)


@lru_cache(maxsize=4_096)
def _parsed_second(text: str) -> int:
    return _parsed(f"{text}Z")


def _parsed(text: str) -> int:
    if not RFC_3339.fullmatch(text):
        raise ValueError(NO_TIME)
    try:
        millis = (datetime.fromisoformat(text.upper()) - EPOCH) // timedelta(milliseconds=1)
    except ValueError:
        raise ValueError(NO_TIME) from None
    if not EARLIEST <= millis <= LATEST:
        raise ValueError(TOO_FAR)
    return millis


def format_time(millis: int) -> str:
    """Milliseconds since the epoch to RFC 3339, UTC, with milliseconds."""
    seconds, rest = divmod(millis, 1_000)
    return f"{_second(seconds)}.{rest:03d}Z"


@lru_cache(maxsize=4_096)  # neighbouring events share their second
def _second(seconds: int) -> str:
    return (EPOCH + timedelta(seconds=seconds)).isoformat()[:19]


def _millis(value: object) -> object:
    if isinstance(value, bool):  # an int to Python
        raise ValueError(NO_TIME)
    if isinstance(value, str):
        return parse_time(value)
    if isinstance(value, int | float) and not EARLIEST <= value <= LATEST:
        raise ValueError(TOO_FAR)
    return value


# An int in Python, RFC 3339 on the wire.
Millis = Annotated[
    int,
    BeforeValidator(_millis),
    PlainSerializer(format_time, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
Id = Annotated[str, StringConstraints(strict=True, pattern=ID_PATTERN)]
Name = Annotated[str, StringConstraints(strict=True, pattern=NAME_PATTERN)]
ClassLabel = Annotated[str, StringConstraints(strict=True, max_length=MAX_OUTPUT_CHARACTERS)]
Finite = Annotated[StrictFloat, Field(allow_inf_nan=False)]
Output = ClassLabel | StrictInt | Finite  # a class is a string, a regression value a number
# Not validated: a bad feature counts as `invalid`, it never rejects its event.
FeatureValue = Annotated[object, WithJsonSchema({"type": ["number", "string", "boolean", "null"]})]
TopicPosition = tuple[int, int]  # [partition, offset]
JournalPosition = tuple[str, int, int]  # [topic, partition, offset]
Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Event(BaseModel):
    """A record of a topic. Unknown fields are ignored, so that old readers survive additions."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", protected_namespaces=(), use_attribute_docstrings=True
    )
