"""Give a command to the registry's owner and wait for its fact."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from time import monotonic, sleep
from typing import Annotated, Any, Final

import typer

from driftline.cli.console import put, put_json, this_person
from driftline.cli.errors import CommandError
from driftline.cli.registry_view import installed
from driftline.core.fact_chain import BrokenChainError
from driftline.core.registry.consequences import controls_of
from driftline.core.registry.state import RegistryState
from driftline.runtime.clock import SystemClock
from driftline.runtime.command_log import CommandLog
from driftline.runtime.ports import StoreUnavailableError
from driftline.runtime.registry_follower import RegistryFollower
from driftline.runtime.registry_log import NO_TOPIC
from driftline.runtime.settings import Settings
from driftline_schemas.codec import canonical, short_hash
from driftline_schemas.commands import NOT_AFTER_MS
from driftline_schemas.registry import Action, Fact, RegistryCommand
from driftline_schemas.topics import REGISTRY

WAIT_SECONDS: Final = 2.0
STEP_SECONDS: Final = 0.02

Reason = Annotated[str, typer.Option(help="Why; kept in the registry for ever.")]
Actor = Annotated[str | None, typer.Option(help="Who (default: this user).")]
ExpectedSeq = Annotated[
    int | None, typer.Option(help="Only if this fact's deployment still serves.")
]
ModelName = Annotated[str, typer.Argument(metavar="MODEL", help="Its name.")]


@dataclass(slots=True)
class Registry:
    """The facts, followed as they come, and the way to ask for more."""

    settings: Settings
    state: RegistryState = field(default_factory=RegistryState)
    known: list[Fact] = field(init=False)  # specifications, at first
    _follower: RegistryFollower = field(init=False)
    _facts: dict[str, Fact] = field(default_factory=dict)  # those that came since the first read

    def __post_init__(self) -> None:
        self._follower = RegistryFollower(self.settings.brokers, self.settings.topic_prefix)
        self.known = [fact for fact in self._read() if fact.action == "apply_spec"]
        installed(self.state)

    def send(
        self,
        action: Action,
        body: Mapping[str, Any],
        *,
        actor: str | None,
        reason: str,
        expected_seq: int | None = None,
    ) -> Fact:
        """The accepted fact; CommandError if it is refused, or not decided within 2 s."""
        now = SystemClock().now()
        who = actor or this_person()
        given = {name: value for name, value in body.items() if value is not None}
        command = RegistryCommand(
            command_id=short_hash("cli", who, action, canonical(given).decode(), str(now)),
            action=action,
            actor=who,
            reason=reason,
            not_after=now + NOT_AFTER_MS,
            expected_seq=expected_seq,
            body=given,
        )
        CommandLog(self.settings.brokers, self.settings.topic_prefix).append(command)
        return self._answer(command)

    def _answer(self, command: RegistryCommand) -> Fact:
        give_up = monotonic() + WAIT_SECONDS
        while (fact := self._facts.get(command.command_id)) is None:
            if monotonic() > give_up:
                raise CommandError(
                    f"No owner of the registry decided within {WAIT_SECONDS:g} s (is `driftline run"
                    f" registry` running?): `driftline commands {command.command_id}` tells what"
                    " becomes of it."
                )
            sleep(STEP_SECONDS)
            self._facts |= {new.command_id: new for new in self._read()}
        if fact.outcome == "refused":
            raise CommandError(f"Refused (fact {fact.seq}): {fact.body['why']}.")
        return fact

    def _read(self) -> Iterator[Fact]:
        """What is new, taken into the state; one by one, for at first that is the whole log."""
        try:
            for fact in self._follower.iterate():
                self.state.apply(fact)
                yield fact
        except BrokenChainError as error:
            raise CommandError(f"The registry cannot be followed: {error}.") from None
        except StoreUnavailableError as error:
            if any(name in str(error) for name in NO_TOPIC):
                topic = REGISTRY.full_name(self.settings.topic_prefix)
                raise CommandError(
                    f"Topic {topic} does not exist: run `driftline topics init`."
                ) from None
            raise CommandError(f"No broker answers at {self.settings.brokers} any more.") from None


def tell(fact: Fact, sentence: str, *, as_json: bool, **rest: Any) -> None:
    """What became of a command that was accepted."""
    if as_json:
        told = {"seq": fact.seq, "command_id": fact.command_id, "action": fact.action}
        told |= {"outcome": fact.outcome, "actor": fact.actor, "body": fact.body}
        put_json({**told, "controls": [c.action for c in controls_of(fact)], **rest})  # type: ignore[attr-defined]  # every control has its action
    else:
        put(f"{sentence} (fact {fact.seq}).")
