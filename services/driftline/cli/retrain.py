"""`driftline retrain MODEL PIPELINE`: it learns again, beside what is there."""

import re
from typing import Annotated

import typer

from driftline.cli.console import Brokers, Json, Prefix, settings_of
from driftline.cli.registry_view import known_model
from driftline.cli.sending import Actor, ModelName, Reason, Registry, tell


def retrain(
    model: ModelName,
    pipeline: Annotated[str, typer.Argument(metavar="PIPELINE")],
    reason: Reason,
    source: Annotated[
        str, typer.Option("--from", help="A file, or a range of journal offsets: FIRST..LAST.")
    ],
    passes: Annotated[int, typer.Option(help="How often over it.", min=1, max=1_000)] = 1,
    actor: Actor = None,
    brokers: Brokers = None,
    prefix: Prefix = None,
    json: Json = False,
) -> None:
    """Ask the learner for a new lineage of a pipeline."""
    registry = Registry(settings_of(brokers, prefix))
    known_model(registry.state, model)
    body = {"model": model, "pipeline": pipeline, "from": parse_source(source), "passes": passes}
    fact = registry.send("retrain", body, actor=actor, reason=reason)
    tell(fact, f"{model}/{pipeline} is to learn again from {source}", as_json=json)


def parse_source(text: str) -> str | list[int]:
    """`10..250` is a range of the journal, everything else a file."""
    if not (found := re.fullmatch(r"(\d{1,18})\.\.(\d{1,18})", text, re.ASCII)):
        return text
    return [int(found[1]), int(found[2])]
