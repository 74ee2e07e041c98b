"""`driftline rollback MODEL`: what served before serves again."""

from dataclasses import asdict
from time import monotonic, sleep
from typing import Annotated, Any, Final

import typer

from driftline.cli.console import Brokers, Json, Prefix, counted, reached
from driftline.cli.registry_view import known_model
from driftline.cli.sending import Actor, ExpectedSeq, ModelName, Reason, Registry, tell
from driftline.core.registry.confirmations import Confirmations, confirmations
from driftline.runtime.clock import SystemClock
from driftline.runtime.settings import Settings
from driftline.runtime.topic_tail import read_tail
from driftline_schemas.codec import UnreadableEvent, decode
from driftline_schemas.control import DeployedBody
from driftline_schemas.registry import Fact, ScorerStatus
from driftline_schemas.topics import SCORER_STATUS

CONFIRM_SECONDS: Final = 2.0
STEP_SECONDS: Final = 0.1


def rollback(
    model: ModelName,
    reason: Reason,
    to: Annotated[
        str | None, typer.Option(help="A version that served (default: before this lineage).")
    ] = None,
    actor: Actor = None,
    expected_seq: ExpectedSeq = None,
    brokers: Brokers = None,
    prefix: Prefix = None,
    json: Json = False,
) -> None:
    """Take a model back, and hold the lineage that it leaves until `driftline lift`."""
    settings = reached(brokers, prefix)
    registry = Registry(settings)
    known_model(registry.state, model)
    fact = registry.send("rollback", {"model": model, "to": to}, actor=actor, reason=reason,
                         expected_seq=expected_seq)  # fmt: skip
    scorers = scorers_of(settings, model, fact)
    sentence = (
        f"{fact.body['name']} serves again, lineage {fact.body['held']} is held; {told(scorers)}"
    )
    tell(fact, sentence, as_json=json, scorers=scorers)


def scorers_of(settings: Settings, model: str, fact: Fact) -> dict[str, Any]:
    """What the scorers say of the deployment that a fact made, once all confirm or 2 s are over."""
    deployed = DeployedBody.model_validate(fact.body["deployed"])
    give_up = monotonic() + CONFIRM_SECONDS
    while (found := _confirmations(settings, model, deployed)).pending:
        if monotonic() > give_up:
            break
        sleep(STEP_SECONDS)
    return {**asdict(found), "complete": found.complete}


def told(scorers: dict[str, Any]) -> str:
    """`2 scorers confirm, 1 pending (scorer-3)`; `no scorer is running`."""
    confirmed = len(scorers["confirmed"])
    missing = [
        f"{len(scorers[state])} {state} ({', '.join(scorers[state])})"
        for state in ("pending", "silent")
        if scorers[state]
    ]
    if not confirmed and not missing:
        return "no scorer is running"
    return ", ".join([f"{counted(confirmed, 'scorer')} confirm{'s' * (confirmed == 1)}", *missing])


def _confirmations(settings: Settings, model: str, deployed: DeployedBody) -> Confirmations:
    topic = SCORER_STATUS.full_name(settings.topic_prefix)
    newest: dict[str, ScorerStatus] = {}
    for raw in read_tail(settings.brokers, topic, range(SCORER_STATUS.partitions)):
        try:
            status = decode(ScorerStatus, raw)
        except UnreadableEvent:
            continue
        newest[status.scorer_id] = status
    return confirmations(newest.values(), model, deployed, SystemClock().now())
