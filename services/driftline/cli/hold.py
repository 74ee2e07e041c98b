"""`driftline hold MODEL` and `driftline lift MODEL`: may a lineage be promoted by itself?"""

from typing import Annotated, Literal

import typer

from driftline.cli.console import Brokers, Json, Prefix, reached
from driftline.cli.registry_view import known_model
from driftline.cli.sending import Actor, ModelName, Reason, Registry, tell
from driftline_schemas.registry import Fact

Lineage = Annotated[
    str | None,
    typer.Option(help="Its name, or a version of it (default: hold what serves, lift all)."),
]


def hold(
    model: ModelName,
    reason: Reason,
    lineage: Lineage = None,
    actor: Actor = None,
    brokers: Brokers = None,
    prefix: Prefix = None,
    json: Json = False,
) -> None:
    """Promote no version of a lineage automatically, and follow none."""
    fact = _decided("hold", model, lineage, Registry(reached(brokers, prefix)), actor, reason)
    tell(fact, f"Lineage {fact.body['held']} of {model} is held", as_json=json)


def lift(
    model: ModelName,
    reason: Reason,
    lineage: Lineage = None,
    actor: Actor = None,
    brokers: Brokers = None,
    prefix: Prefix = None,
    json: Json = False,
) -> None:
    """Let a lineage that is held be promoted automatically again."""
    fact = _decided("lift", model, lineage, Registry(reached(brokers, prefix)), actor, reason)
    lifted = ", ".join(fact.body["lifted"])
    tell(fact, f"{model}: no longer held: {lifted}", as_json=json)


def _decided(
    action: Literal["hold", "lift"],
    model: str,
    lineage: str | None,
    registry: Registry,
    actor: str | None,
    reason: str,
) -> Fact:
    known_model(registry.state, model)
    body = {"model": model, "lineage": lineage}
    return registry.send(action, body, actor=actor, reason=reason)
