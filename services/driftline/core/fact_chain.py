"""The registry's hash chain: seal a new fact, and verify what was read. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from driftline_schemas.codec import UnreadableEvent, decode
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


def _why_unread(raw: bytes, place: int, error: UnreadableEvent) -> str:
    """A fact whose hash is right is whole: somebody wrote it who knows more than we do."""
    try:
        fact = orjson.loads(raw)
        if fact_hash(fact) == fact["hash"]:
            return (
                f"fact {place} (action {fact.get('action')!r}) was written by another version of"
                " Driftline: install the newest one everywhere"
            )
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError):
        pass
    return f"fact {place} cannot be read: {error}"


def _fact(raw: bytes, place: int) -> Fact:
    try:
        fact = decode(Fact, raw)
    except UnreadableEvent as error:
        raise BrokenChainError(_why_unread(raw, place, error)) from None
    if fact_hash(orjson.loads(raw)) != fact.hash:
        raise BrokenChainError(f"fact {fact.seq} was changed after it was written")
    return fact
