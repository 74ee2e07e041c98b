"""`driftline versions MODEL`: its versions, newest last."""

from typing import Annotated

import typer

from driftline.cli.console import Brokers, Json, Prefix, put, put_json, reached
from driftline.cli.registry_view import known_model, registry_state
from driftline.cli.sending import ModelName
from driftline.core.registry.rows import version_row


def versions(
    model: ModelName,
    newest: Annotated[int, typer.Option(help="How many.", min=1)] = 20,
    brokers: Brokers = None,
    prefix: Prefix = None,
    json: Json = False,
) -> None:
    """List a model's newest versions with their lineage and what they were made from."""
    found = known_model(registry_state(reached(brokers, prefix)), model)
    for version in list(found.versions.values())[-newest:]:
        row = version_row(found, version)
        if json:
            put_json(row)
            continue
        first, last = row["offsets"]
        marks = " serving" * row["serving"] + " held" * row["held"]
        if tried := row["test_set"]:
            marks = f"  {tried['value']:.4g} on {tried['name']}{marks}"
        put(f"{row['name']}  {row['version_id']}  lineage {row['lineage']}"
            f"  offsets {first}..{last}  {row['created_ts']}{marks}")  # fmt: skip
    if not found.versions and not json:
        put(f"{model} has no versions: it is served outside, or its learner has not begun.")
