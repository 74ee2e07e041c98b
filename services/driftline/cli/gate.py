"""`driftline gate MODEL`: why was a challenger promoted, or not, with the numbers?"""

from collections.abc import Iterator
from typing import Any

from driftline.cli.console import Brokers, Json, Prefix, put, put_json, reached
from driftline.cli.registry_view import known_model
from driftline.cli.sending import ModelName
from driftline.core.registry.state import RegistryState, model_of
from driftline.runtime.registry_log import iterate_registry
from driftline.runtime.settings import Settings
from driftline.runtime.topic_tail import read_tail
from driftline_schemas.codec import UnreadableEvent, decode
from driftline_schemas.fields import format_time
from driftline_schemas.partitioner import partition_of
from driftline_schemas.registry import Fact, LearningMetric
from driftline_schemas.topics import LEARNING_METRICS


def gate(
    model: ModelName,
    brokers: Brokers = None,
    prefix: Prefix = None,
    json: Json = False,
) -> None:
    """Show, per challenger, what the registry decided and where its evidence stands now."""
    settings = reached(brokers, prefix)
    rows = [*_decided(settings, model), *_undecided(settings, model)]
    for row in rows:
        if json:
            put_json(row)
        else:
            numbers = "  ".join(f"{name} {value}" for name, value in row["numbers"].items())
            put(f"{row['challenger']}  {row['verdict']}  {row['outcome']}  {numbers}")
    if not rows and not json:
        put(f"No gate of {model} was evaluated yet: a challenger needs labels, and a learner.")


def _decided(settings: Settings, model: str) -> Iterator[dict[str, Any]]:
    """The newest promote or reject of each challenger; refused ones too."""
    state = RegistryState()
    newest: dict[str, Fact] = {}
    for fact in iterate_registry(settings.brokers, settings.topic_prefix):
        state.apply(fact)
        if fact.action == "gate_evaluated" and fact.body.get("model") == model:
            challenger = str(fact.body.get("challenger", "(refused)"))
            newest.pop(challenger, None)
            newest[challenger] = fact
    known_model(state, model)
    for challenger, fact in newest.items():
        yield _fact_row(challenger, fact)


def _fact_row(challenger: str, fact: Fact) -> dict[str, Any]:
    body = fact.body
    names = ("n", "blocks", "mean", "lower", "upper", "least_gain", "alpha", "variance", "j", "k",
             "deployment_seq", "champion", "metric", "since", "test_set")  # fmt: skip
    outcome = f"fact {fact.seq} at {format_time(fact.at)}"
    if fact.outcome == "refused":
        outcome += f", refused: {body['why']}"
    return {
        "model": model_of(fact),
        "challenger": challenger,
        "verdict": body.get("verdict", "promote"),
        "version_id": body.get("version_id"),
        "outcome": outcome,
        "seq": fact.seq,
        "numbers": {name: body[name] for name in names if name in body},
    }


def _undecided(settings: Settings, model: str) -> Iterator[dict[str, Any]]:
    """Where the evidence on each challenger stands, as its learner said last."""
    topic = LEARNING_METRICS.full_name(settings.topic_prefix)
    partition = partition_of(model, LEARNING_METRICS.partitions)
    newest: dict[str, LearningMetric] = {}
    for raw in read_tail(settings.brokers, topic, [partition]):
        try:
            metric = decode(LearningMetric, raw)
        except UnreadableEvent:
            continue
        if metric.model == model and metric.kind == "gate" and metric.reason is None:
            newest[metric.pipeline] = metric
    for challenger, metric in newest.items():
        yield {
            "model": model,
            "challenger": challenger,
            "verdict": metric.verdict or "undecided",
            "version_id": None,
            "outcome": f"after {metric.labels} labels (offset {metric.at_offset})",
            "seq": None,
            "numbers": metric.metrics,
        }
