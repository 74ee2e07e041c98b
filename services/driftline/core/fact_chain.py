"""The registry's hash chain: seal a new fact, and verify what was read. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import orjson
from pydantic import ValidationError

from driftline_schemas.codec import decode, first_fault
from driftline_schemas.fields import format_time
from driftline_schemas.registry import GENESIS, Action, Fact, fact_hash


class BrokenChainError(ValueError):
    """A fact does not follow from the one before it, or nobody can take it in; the message says
    which."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A decision that has no place in the log yet."""

    command_id: str
    action: Action | Literal["schedule"]
    actor: str
    reason: str
    body: Mapping[str, Any]  # as it goes on the wire
    outcome: Literal["accepted", "refused"] = "accepted"
    command_hash: str | None = None


def seal(draft: Draft, previous: Fact | None, at: int) -> tuple[Fact, bytes]:
    """The fact that follows `previous`, made at `at` (ms), and its record."""
    wire: dict[str, Any] = {
        "seq": previous.seq + 1 if previous else 0,
        "previous_hash": previous.hash if previous else GENESIS,
        "command_id": draft.command_id,
        "action": draft.action,
        "actor": draft.actor,
        "reason": draft.reason,
        "at": format_time(at),
        "outcome": draft.outcome,
        "body": dict(draft.body),
    }
    if draft.command_hash is not None:
        wire["command_hash"] = draft.command_hash
    wire["hash"] = fact_hash(wire)
    raw = orjson.dumps(wire)
    return decode(Fact, raw), raw


def follow(raw: bytes, previous: Fact | None) -> Fact:
    """The fact in `raw`; BrokenChainError unless it follows `previous` (None: it is the first)."""
    place = previous.seq + 1 if previous else 0
    fact = _fact(raw, place)
    if fact.seq != place:
        raise BrokenChainError(f"fact {fact.seq} stands where {place} belongs")
    if fact.previous_hash != (previous.hash if previous else GENESIS):
        raise BrokenChainError(f"fact {fact.seq} does not follow the one before it")
    return fact


def verified(records: Iterable[bytes]) -> list[Fact]:
    """The facts of a log read from its start; BrokenChainError unless each follows the last."""
    facts: list[Fact] = []
    for raw in records:
        facts.append(follow(raw, facts[-1] if facts else None))
    return facts


def _why_unread(wire: Any, place: int, fault: str) -> str:
    """A fact whose hash is right is whole: somebody wrote it who knows more than we do."""
    try:
        if fact_hash(wire) == wire["hash"]:
            return (
                f"fact {place} (action {wire.get('action')!r}) was written by another version of"
                " Driftline: install the newest one everywhere"
            )
    except (AttributeError, KeyError, TypeError):
        pass
    return f"fact {place} cannot be read: {fault}"


def _fact(raw: bytes, place: int) -> Fact:
    try:
        wire = orjson.loads(raw)
        fact = Fact.model_validate(wire)
    except orjson.JSONDecodeError as error:
        raise BrokenChainError(f"fact {place} cannot be read: not JSON: {error}") from None
    except ValidationError as error:
        raise BrokenChainError(_why_unread(wire, place, first_fault(error))) from None
    if fact_hash(wire) != fact.hash:
        raise BrokenChainError(f"fact {fact.seq} was changed after it was written")
    return fact
