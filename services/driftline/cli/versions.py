"""`driftline versions MODEL`: its versions, newest last."""

from typing import Annotated

import typer

from driftline.cli.console import Brokers, Json, Prefix, put, put_json, reached
from driftline.cli.registry_view import known_model, registry_state
from driftline.cli.sending import ModelName
from driftline.core.registry.models import ModelState
from driftline.core.registry.rows import learned_since, version_row
from driftline.core.registry.version_list import Version


def versions(
    model: ModelName,
    newest: Annotated[int, typer.Option(help="How many.", min=1)] = 20,
    brokers: Brokers = None,
    prefix: Prefix = None,
    json: Json = False,
) -> None:
    """List a model's newest versions with their lineage and what they were made from."""
    found = known_model(registry_state(reached(brokers, prefix)), model)
    for version in found.versions.newest(newest):
        if json:
            put_json(version_row(found, version))
            continue
        put(said(found, version))
    if not found.versions and not json:
        put(f"{model} has no versions: it is served outside, or its learner has not begun.")


def said(model: ModelState, version: Version) -> str:
    """A version for people: name, id, lineage, what it was made from, what it learned since."""
    row = version_row(model, version)
    made = f"  {row['beginning']}" if row["beginning"] else ""
    tried = version.recipe.test_set
    marks = f"  {tried.value:.4g} on {tried.name}" if tried else ""
    marks += " serving" * row["serving"] + " held" * row["held"]
    return (
        f"{row['name']}  {row['version_id']}  lineage {row['lineage']}{made}"
        f"  {learned_since(version)}  {row['created_ts']}{marks}"
    )
