"""What the owner of the registry answers to a command."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from driftline.core.fact_chain import Draft
from driftline_schemas.codec import UnreadableEvent, first_fault
from driftline_schemas.registry import RegistryCommand, command_hash

B = TypeVar("B", bound=BaseModel)


class Moment(NamedTuple):
    """When (ms) a command is decided, and when it was appended to its topic."""

    now: int
    appended: int


@dataclass(frozen=True, slots=True)
class Decision:
    """Accepted with the fact's body, or refused with the sentence that says why."""

    command: RegistryCommand
    outcome: Literal["accepted", "refused"]
    body: Mapping[str, Any]  # as it goes on the wire

    @property
    def why(self) -> str:
        """Why it was refused; empty when it was accepted."""
        return str(self.body.get("why", "")) if self.outcome == "refused" else ""

    @property
    def draft(self) -> Draft:
        """The fact that follows."""
        command = self.command
        return Draft(
            command_id=command.command_id,
            action=command.action,
            actor=command.actor,
            reason=command.reason,
            body=self.body,
            outcome=self.outcome,
            command_hash=command_hash(command),
        )


def accepted(command: RegistryCommand, body: Mapping[str, Any]) -> Decision:
    """The command's will is done."""
    return Decision(command, "accepted", body)


def refused(command: RegistryCommand, why: str, body: Mapping[str, Any] | None = None) -> Decision:
    """Nothing changes; the sentence becomes part of the fact, and what is kept of the `body`."""
    return Decision(command, "refused", {**(body or {}), "why": why})


def read_body(kind: type[B], command: RegistryCommand) -> B:
    """The body of a command; UnreadableEvent with one sentence."""
    try:
        return kind.model_validate(command.body)
    except ValidationError as error:
        raise UnreadableEvent(first_fault(error)) from None
