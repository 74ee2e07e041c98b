"""`driftline hold MODEL` and `driftline lift MODEL`: may a lineage be promoted by itself?"""

from typing import Annotated

import typer

from driftline.cli.console import Brokers, Json, Prefix, settings_of
from driftline.cli.registry_view import known_model
from driftline.cli.sending import Actor, ModelName, Reason, Registry, tell


def hold(
    model: ModelName,
    reason: Reason,
    lineage: Annotated[
        str | None, typer.Option(help="Its name, or a version of it (default: what serves).")
    ] = None,
    actor: Actor = None,
    brokers: Brokers = None,
    prefix: Prefix = None,
    json: Json = False,
) -> None:
    """Promote no version of a lineage automatically, and follow none."""
    registry = Registry(settings_of(brokers, prefix))
    known_model(registry.state, model)
    body = {"model": model, "lineage": lineage}
    fact = registry.send("hold", body, actor=actor, reason=reason)
    tell(fact, f"Lineage {fact.body['held']} of {model} is held", as_json=json)


def lift(
    model: ModelName,
    reason: Reason,
    lineage: Annotated[
        str | None, typer.Option(help="Its name, or a version of it (default: all).")
    ] = None,
    actor: Actor = None,
    brokers: Brokers = None,
    prefix: Prefix = None,
    json: Json = False,
) -> None:
    """Let a lineage that is held be promoted automatically again."""
    registry = Registry(settings_of(brokers, prefix))
    known_model(registry.state, model)
    body = {"model": model, "lineage": lineage}
    fact = registry.send("lift", body, actor=actor, reason=reason)
    lifted = ", ".join(fact.body["lifted"])
    tell(fact, f"{model}: no longer held: {lifted}", as_json=json)
