"""`driftline commands ID`: what became of a command?"""

from typing import Annotated

import typer

from driftline.cli.console import Brokers, Json, Prefix, put, put_json, reached
from driftline.cli.errors import CommandError
from driftline.runtime.registry_log import iterate_registry
from driftline_schemas.fields import format_time


def commands(
    command_id: Annotated[
        str, typer.Argument(metavar="ID", help="Of the command, as it was told.")
    ],
    brokers: Brokers = None,
    prefix: Prefix = None,
    json: Json = False,
) -> None:
    """Show the fact that a command became."""
    settings = reached(brokers, prefix)
    facts = iterate_registry(settings.brokers, settings.topic_prefix)
    fact = next((fact for fact in facts if fact.command_id == command_id), None)
    if fact is None:
        raise CommandError(f"The registry has not decided on {command_id} (yet).")
    if json:
        put_json(fact.model_dump(mode="json"))
        return
    why = f": {fact.body['why']}" if fact.outcome == "refused" else ""
    put(f"{fact.action} by {fact.actor} at {format_time(fact.at)}: {fact.outcome}{why}"
        f" (fact {fact.seq}).")  # fmt: skip
