"""`driftline gate MODEL`: why was a challenger promoted, or not, with the numbers?"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from driftline.cli.console import Brokers, Json, Prefix, put, put_json, reached
from driftline.cli.registry_view import known_model
from driftline.cli.sending import ModelName
from driftline.core.gates.saying import VERDICTS, standing_said
from driftline.core.registry.models import ModelState
from driftline.core.registry.rows import test_set_said
from driftline.core.registry.state import RegistryState, model_of
from driftline.runtime.registry_log import iterate_registry
from driftline.runtime.settings import Settings
from driftline.runtime.topic_tail import MOST, read_tail
from driftline_schemas.codec import UnreadableEvent, decode
from driftline_schemas.fields import format_time
from driftline_schemas.partitioner import partition_of
from driftline_schemas.registry import Fact, LearningMetric, TestSetResult
from driftline_schemas.spec import GateSpec
from driftline_schemas.topics import LEARNING_METRICS

NUMBERS: Final = (
    "n", "blocks", "mean", "lower", "upper", "least_gain", "alpha", "variance", "j", "k",
    "deployment_seq", "champion", "metric", "since", "test_set",
)  # fmt: skip
ACCEPTED: Final = {"promote": "promoted", "reject": "stays a challenger"}
FROM_THE_START: Final = format_time(0)  # `since` of a model's first test
OUTSIDE: Final = "what is served outside"


class Numbers(NamedTuple):
    """A row's numbers, as a sentence needs them."""

    n: int
    test: int
    mean: float
    lower: float | None
    upper: float | None

    @classmethod
    def of(cls, numbers: Mapping[str, Any]) -> "Numbers":
        """Those of a fact or of a metric: `j` is the number of the test."""
        lower, upper = numbers.get("lower"), numbers.get("upper")
        return cls(int(numbers["n"]), int(numbers["j"]), numbers["mean"], lower, upper)


def gate(
    model: ModelName,
    brokers: Brokers = None,
    prefix: Prefix = None,
    json: Json = False,
) -> None:
    """Show, per challenger, what the registry decided and where its evidence stands now."""
    settings = reached(brokers, prefix)
    state, facts = _read(settings, model)
    known = known_model(state, model)
    rows = [_decided(challenger, fact) for challenger, fact in facts.items()]
    rows += _undecided(known, facts, _metrics(settings, model))
    for row in rows:
        if json:
            put_json(row)
        else:
            put(said(known, row))
    if not rows and not json:
        put(f"No gate of {model} was evaluated yet: a challenger needs labels, and a learner.")


def said(known: ModelState, row: Mapping[str, Any]) -> str:
    """A row for people."""
    numbers = row["numbers"]
    version = known.versions.get(row["version_id"] or "")
    name = row["challenger"] + (f" ({version.name})" if version else "")
    sentences = [f"{name} against {numbers.get('champion', OUTSIDE)}: {VERDICTS[row['verdict']]}."]
    if "mean" in numbers:
        wanted = known.spec.body.spec.gate if known.spec else GateSpec()
        sentences.append(standing_said(Numbers.of(numbers), wanted))
    if tried := numbers.get("test_set"):
        sentences.append(_sentence(test_set_said(TestSetResult.model_validate(tried))))
    return " ".join([*sentences, _sentence(row["outcome"])])


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _read(settings: Settings, model: str) -> tuple[RegistryState, dict[str, Fact]]:
    """The registry, and the newest promote or reject of each challenger; refused ones too."""
    state = RegistryState()
    newest: dict[str, Fact] = {}
    for fact in iterate_registry(settings.brokers, settings.topic_prefix):
        state.apply(fact)
        if fact.action == "gate_evaluated" and fact.body.get("model") == model:
            challenger = str(fact.body.get("challenger", "(refused)"))
            newest.pop(challenger, None)
            newest[challenger] = fact
    return state, newest


def _decided(challenger: str, fact: Fact) -> dict[str, Any]:
    body = fact.body
    verdict = body.get("verdict", "promote")
    became = f"refused: {body['why']}" if fact.outcome == "refused" else ACCEPTED[verdict]
    numbers = {name: body[name] for name in NUMBERS if name in body}
    if numbers.get("since") == FROM_THE_START:
        del numbers["since"]
    return {
        "model": model_of(fact),
        "challenger": challenger,
        "verdict": verdict,
        "version_id": body.get("version_id"),
        "outcome": f"{became} (fact {fact.seq} at {format_time(fact.at)})",
        "seq": fact.seq,
        "numbers": numbers,
    }


def _metrics(settings: Settings, model: str) -> Iterator[LearningMetric]:
    """What its learner said lately."""
    topic = LEARNING_METRICS.full_name(settings.topic_prefix)
    partition = partition_of(model, LEARNING_METRICS.partitions)
    for raw in read_tail(settings.brokers, topic, [partition], MOST):
        try:
            metric = decode(LearningMetric, raw)
        except UnreadableEvent:
            continue
        if metric.model == model and metric.reason is None:
            yield metric


def _undecided(
    known: ModelState, facts: Mapping[str, Fact], metrics: Iterator[LearningMetric]
) -> Iterator[dict[str, Any]]:
    """Where the evidence stands on challengers that are in the contest, and newer than the fact.

    With each evaluation come figures of all lineages: whose gate is older is no challenger now.
    """
    newest: dict[str, LearningMetric] = {}
    evaluated = -1
    for metric in metrics:
        evaluated = max(evaluated, metric.at_offset)
        if metric.kind != "gate" or not {"n", "j", "mean"} <= metric.metrics.keys():
            continue
        known_one = newest.get(metric.pipeline)
        if known_one is None or metric.at_offset >= known_one.at_offset:  # else told again
            newest[metric.pipeline] = metric
    for challenger, metric in newest.items():
        if metric.at_offset >= evaluated and _is_newer(metric, facts.get(challenger)):
            yield _evidence(known, challenger, metric)


def _is_newer(metric: LearningMetric, fact: Fact | None) -> bool:
    """Within one test pairs only come; tests are numbered."""
    if fact is None or not {"n", "j"} <= fact.body.keys():
        return True
    return (metric.metrics["j"], metric.metrics["n"]) > (fact.body["j"], fact.body["n"])


def _evidence(known: ModelState, challenger: str, metric: LearningMetric) -> dict[str, Any]:
    champion = {"champion": known.deployed.body.lineage} if known.deployed else {}
    return {
        "model": metric.model,
        "challenger": challenger,
        "verdict": metric.verdict or "continue",
        "version_id": None,
        "outcome": f"after {metric.labels:,} labels (offset {metric.at_offset})",
        "seq": None,
        "numbers": {**metric.metrics, **champion},
    }
