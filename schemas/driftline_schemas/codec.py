"""The one codec: JSON by orjson. A number that JSON cannot say (NaN, 1e400) is never read."""

from hashlib import sha256
from typing import Final, TypeVar

import orjson
from pydantic import BaseModel, ValidationError

from driftline_schemas.fields import Event

E = TypeVar("E", bound=Event)
MAX_STEP_CHARACTERS: Final = 64  # a step may be a key of an app's own


class UnreadableEvent(ValueError):  # noqa: N818 - named for what the reader met
    """The bytes are not the event they should be; the message is one sentence."""


def encode(event: BaseModel) -> bytes:
    """Bytes of an event; absent optional fields are left out, a number not finite becomes null."""
    return orjson.dumps(event.model_dump(mode="json", exclude_none=True))


def decode(kind: type[E], raw: bytes | None) -> E:
    """The event in `raw`; UnreadableEvent with one sentence otherwise."""
    try:
        return kind.model_validate(orjson.loads(raw or b""))
    except orjson.JSONDecodeError as error:
        raise UnreadableEvent(f"not JSON: {error}") from None
    except ValidationError as error:
        raise UnreadableEvent(first_fault(error)) from None


def first_fault(error: ValidationError) -> str:
    """The first thing wrong, as one sentence, without the value (it may be large or secret)."""
    fault = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(step)[:MAX_STEP_CHARACTERS] for step in fault["loc"]) or "event"
    return f"{where}: {fault['msg'].removeprefix('Value error, ')}"


def canonical(value: object) -> bytes:
    """Canonical JSON: keys sorted, no white space; equal values give equal bytes."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def short_hash(*parts: str) -> str:
    """sha256 of the parts joined by `|`, first 16 hex digits: how all derived ids are made."""
    return sha256("|".join(parts).encode()).hexdigest()[:16]


def content_hash(value: object) -> str:
    """sha256 of the canonical JSON, first 16 hex digits: spec_hash, bins_id."""
    return sha256(canonical(value)).hexdigest()[:16]
