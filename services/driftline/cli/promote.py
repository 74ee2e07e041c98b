"""`driftline promote MODEL VERSION`: a person lets a version serve."""

from typing import Annotated

import typer

from driftline.cli.console import Brokers, Json, Prefix, reached
from driftline.cli.errors import CommandError
from driftline.cli.registry_view import known_model
from driftline.cli.rollback import scorers_of, told
from driftline.cli.sending import Actor, ExpectedSeq, ModelName, Reason, Registry, tell
from driftline.core.registry.models import ModelState


def promote(
    model: ModelName,
    version: Annotated[str, typer.Argument(help="Its id, or its name (pipeline/v12).")],
    reason: Reason,
    actor: Actor = None,
    expected_seq: ExpectedSeq = None,
    brokers: Brokers = None,
    prefix: Prefix = None,
    json: Json = False,
) -> None:
    """Let a version serve, whatever its gate says."""
    settings = reached(brokers, prefix)
    registry = Registry(settings)
    if known_model(registry.state, model).find(version) is None:
        raise CommandError(f"{model} has no version {version!r}: see `driftline versions {model}`.")
    fact = registry.send("promote", {"model": model, "version": version}, actor=actor,
                         reason=reason, expected_seq=expected_seq)  # fmt: skip
    version_id = fact.body["deployed"]["version_id"]
    scorers = scorers_of(settings, model, fact)
    seq = fact.body["deployed"]["deployment_seq"]
    sentence = f"{fact.body['name']} serves as deployment {seq}; {told(scorers)}"
    if note := goes_on(registry.state.models[model], version_id):
        sentence += f"; {note}"
    tell(fact, sentence, as_json=json, scorers=scorers)


def goes_on(model: ModelState, version_id: str) -> str | None:
    """What becomes of this version once it serves, where newer ones of its lineage follow."""
    version = model.versions[version_id]
    if not model.is_followed(version):
        return None
    return (
        f"newer versions of its lineage {version.lineage} follow by themselves (`follow: true`):"
        f" `driftline hold {model.name}` keeps this one"
    )
