"""`driftline rebuild ROLE`: let a role forget its state, so that its next start folds the log."""

from enum import StrEnum
from typing import Annotated

import typer

from driftline.cli.console import Brokers, Json, Prefix, counted, put, put_json, reached, spinning
from driftline.cli.errors import CommandError
from driftline.cli.rebuild_estimate import Estimate, estimate
from driftline.cli.status_screen import size
from driftline.runtime.group_looks import GroupLooks, RoleLook
from driftline.runtime.redis_looks import KeptState, forget_state, kept_state
from driftline_schemas.topics import consumer_group

KEEPS_NOTHING = {
    "registry": "the registry's state is its own topic, which it reads at every start",
    "alerter": "the alerter keeps its state in the topic `notifications`, which it reads at every"
    " start",
}


class StatefulRole(StrEnum):
    """The roles with a group; two of them keep nothing in Redis."""

    joiner = "joiner"
    monitor = "monitor"
    learner = "learner"
    registry = "registry"
    alerter = "alerter"


def rebuild(
    role: Annotated[StatefulRole, typer.Argument(help="Whose state.")],
    only_estimate: Annotated[
        bool, typer.Option("--estimate", help="Only say what it would read, and how long.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Forget the state in Redis now.")] = False,
    brokers: Brokers = None,
    prefix: Prefix = None,
    json: Json = False,
) -> None:
    """Forget a role's state in Redis; its next start rebuilds it from the topics.

    Its committed offsets stay, so nothing is written twice: up to them it replays silently.
    """
    settings = reached(brokers, prefix)
    if why := KEEPS_NOTHING.get(role):
        raise CommandError(f"There is nothing to rebuild: {why}.")
    group = consumer_group(settings.topic_prefix, role)
    with spinning("Reading a sample"):
        look = GroupLooks(settings.brokers, settings.topic_prefix).look([role])[role]
        kept = kept_state(settings.redis_url, group)
        guess = estimate(settings, look)
    if only_estimate or not yes:
        _tell(guess, kept, look, as_json=json, forgotten=False)
        if not only_estimate:
            raise CommandError("Nothing was done: run it again with --yes if you agree.")
        return
    if look.members:
        names = ", ".join(sorted(member.name for member in look.members)[:5])
        raise CommandError(
            f"{counted(len(look.members), 'process')} in the group of the {role} ({names}) would"
            " write the state again: stop the role first; a stopped process leaves within 10 s."
        )
    forget_state(settings.redis_url, group)
    _tell(guess, kept, look, as_json=json, forgotten=True)


def _tell(
    guess: Estimate, kept: KeptState, look: RoleLook, *, as_json: bool, forgotten: bool
) -> None:
    if as_json:
        put_json(
            {
                "role": guess.role,
                "records": guess.records,
                "lag": guess.after,
                "seconds": round(guess.seconds, 1),
                "read_per_second": round(guess.read_per_second),
                "cost_us": guess.cost_us,
                "redis_keys": len(kept.keys),
                "redis_bytes": kept.bytes,
                "members": len(look.members),
                "forgotten": forgotten,
            }
        )
        return
    keys = f"{counted(len(kept.keys), 'key')}, {size(kept.bytes)}"
    put(f"Forgotten: {keys} in Redis." if forgotten else f"State in Redis: {keys}.")
    speed = (
        f"read here at {guess.read_per_second:,.0f} records/s"
        if guess.read_per_second
        else "too few to measure how fast they are read"
    )
    put(f"A rebuild reads {guess.records:,} records, {speed}, and works about"
        f" {guess.cost_us:g} us on each.")  # fmt: skip
    put(f"It takes about {_duration(guess.seconds)} of one core (an estimate; more processes share"
        f" it by partition), then {guess.after:,} records wait that were never read.")  # fmt: skip
    if forgotten:
        put(f"Start it: `driftline run {guess.role}`.")


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5_400 else f"{seconds / 3_600:.1f} h"
