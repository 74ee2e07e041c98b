"""`driftline models`: what is registered, and what serves."""

from driftline.cli.console import Brokers, Json, Prefix, put, put_json, reached
from driftline.cli.registry_view import registry_state
from driftline.core.registry.rows import model_row


def models(brokers: Brokers = None, prefix: Prefix = None, json: Json = False) -> None:
    """List the models: what serves each, since when, and which lineages are held."""
    state = registry_state(reached(brokers, prefix))
    for name in sorted(state.models):
        row = model_row(state.models[name])
        if json:
            put_json(row)
            continue
        serving = row["serving"] or "served outside, or nothing yet"
        since = (
            f" since {row['since']} (deployment {row['deployment_seq']})" if row["since"] else ""
        )
        held = f"; held: {', '.join(row['held'])}" if row["held"] else ""
        put(f"{name}  {row['task']}  {row['versions']} versions  {serving}{since}{held}")
    if not state.models and not json:
        put("No model yet: `driftline apply` a spec.")
