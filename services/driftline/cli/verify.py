"""`driftline verify registry`: is the log whole, and does it say what is deployed?"""

import typer

from driftline.cli.console import Brokers, Json, Prefix, put, put_json, reached
from driftline.cli.errors import CommandError, Findings
from driftline.core.fact_chain import BrokenChainError, follow
from driftline.core.registry.state import RegistryState
from driftline.runtime.registry_log import read_records
from driftline.runtime.settings import Settings
from driftline.runtime.topic_tail import read_tail
from driftline_schemas.codec import UnreadableEvent, decode
from driftline_schemas.registry import Deployment
from driftline_schemas.topics import DEPLOYMENTS

app = typer.Typer(help="Check what can be checked.", no_args_is_help=True)


@app.callback()
def verify() -> None:
    """Check what can be checked."""


@app.command()
def registry(brokers: Brokers = None, prefix: Prefix = None, json: Json = False) -> None:
    """Compute the chain of facts again, and compare `deployments` with it.

    Exit code 1: the chain is broken, or they differ.
    """
    settings = reached(brokers, prefix)
    state, count = RegistryState(), 0
    for raw in read_records(settings.brokers, settings.topic_prefix):
        try:
            fact = follow(raw, state.last)
        except BrokenChainError as error:
            raise CommandError(f"Broken: {error}. The {count} facts before it are whole.") from None
        state.apply(fact)
        count += 1
    if wrong := _other_deployments(settings, state):
        raise Findings(wrong)
    head = state.last.hash if state.last else None
    if json:
        put_json({"facts": count, "head": head, "models": len(state.models), "whole": True})
    else:
        put(f"{count} facts, each follows from the one before it; the last has hash {head}.")


def _other_deployments(settings: Settings, state: RegistryState) -> list[str]:
    """Models whose newest deployment is not the one that the facts say."""
    newest: dict[str, Deployment] = {}
    topic = DEPLOYMENTS.full_name(settings.topic_prefix)
    for raw in read_tail(settings.brokers, topic, range(DEPLOYMENTS.partitions)):
        try:
            found = decode(Deployment, raw)
        except UnreadableEvent as error:
            return [f"A record of {topic} cannot be read: {error}."]
        if found.model not in newest or found.seq >= newest[found.model].seq:
            newest[found.model] = found
    pairs = {
        name: (_said(newest.get(name)), _decided(state, name)) for name in {*newest, *state.models}
    }
    return [
        f"{name}: `deployments` says {said}, the facts say {decided}."
        for name, (said, decided) in sorted(pairs.items())
        if said != decided
    ]


def _said(deployment: Deployment | None) -> str:
    if deployment is None:
        return "nothing"
    return f"{deployment.seq}: {', '.join(arm.version_id for arm in deployment.arms)}"


def _decided(state: RegistryState, name: str) -> str:
    model = state.models.get(name)
    if model is None or model.deployed is None:
        return "nothing"
    return f"{model.deployment_seq}: {model.deployed.body.version_id}"
