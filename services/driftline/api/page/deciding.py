"""Of what somebody typed into a form, the command to the registry."""

from secrets import token_hex
from typing import Any, Final

from pydantic import ValidationError

from driftline.api.page.change import MAX_ACTOR, MAX_REASON
from driftline_schemas.commands import NOT_AFTER_MS
from driftline_schemas.registry import RegistryCommand

MAX_DIGITS: Final = 18


def new_key() -> str:
    """The id of the command that a form gives: sent twice it is one command."""
    return f"page-{token_hex(8)}"


def command_of(
    action: str, body: dict[str, str], fields: dict[str, str], now: int
) -> RegistryCommand | str:
    """The command, or the sentence that says what is missing."""
    reason, actor = fields.get("reason", "").strip(), fields.get("actor", "").strip()
    seen = fields.get("expected_seq", "")
    if not reason or len(reason) > MAX_REASON:
        return f"Say why, in at most {MAX_REASON:,} characters."
    if not actor or len(actor) > MAX_ACTOR:
        return f"Say who you are, in at most {MAX_ACTOR} characters."
    if not (seen.isascii() and seen.isdigit() and len(seen) <= MAX_DIGITS):
        return "This form is not complete: open it again."
    given: dict[str, Any] = {
        "command_id": fields.get("key", ""),
        "action": action,
        "actor": f"page:{actor}",
        "reason": reason,
        "not_after": now + NOT_AFTER_MS,
        "expected_seq": int(seen),
        "body": body,
    }
    try:
        return RegistryCommand.model_validate(given)
    except ValidationError:
        return "This form is not complete: open it again."
