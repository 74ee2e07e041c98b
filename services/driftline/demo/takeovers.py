"""Which versions took over from which, on what evidence?"""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from driftline.demo.observer import Observed
from driftline.demo.summary import figure
from driftline_schemas.registry import Fact, GateEvaluated, ModelUpdated
from driftline_schemas.spec import Task


def summarise_learning(seen: Observed, task: Task) -> dict[str, Any]:
    """One JSON-able object, to go with that of the monitoring."""
    made = versions(seen)
    return {
        "promotions": [promotion(seen, fact) for fact in promoting(seen)],
        **figure("frozen", task, _frozen_error(seen)),
        "versions": [
            {"name": name, "version_id": made.version_id, "state_hash": made.state_hash}
            for name, made in made.items()
        ],
    }


def facts(seen: Observed) -> list[Fact]:
    """Those that were accepted, in order."""
    return [seen.facts[seq] for seq in sorted(seen.facts) if seen.facts[seq].outcome == "accepted"]


def versions(seen: Observed) -> dict[str, ModelUpdated]:
    """By their human names, in the order in which they were made."""
    return {
        fact.body["name"]: ModelUpdated.model_validate(fact.body)
        for fact in facts(seen)
        if fact.action == "model_updated"
    }


def promoting(seen: Observed) -> Iterator[Fact]:
    """The gate facts by which another lineage took over."""
    for fact in facts(seen):
        if fact.action == "gate_evaluated" and "deployed" in fact.body:
            yield fact


def promotion(seen: Observed, fact: Fact) -> dict[str, Any]:
    """`champion` and `challenger` are accuracies over the same n predictions (no gate has those of
    numbers: `gain` is the difference of their scaled errors); `row` is the last one predicted when
    it was decided."""
    gate = GateEvaluated.model_validate(fact.body)
    champion = _champions_accuracy(seen, gate) if gate.metric == "accuracy" else None
    return {
        "row": seen.row_at(fact.at),
        "who": gate.challenger,
        "n": gate.n,
        "champion": None if champion is None else round(champion, 4),
        "challenger": None if champion is None else round(champion + gate.mean, 4),
        "gain": round(gate.mean, 4),
        "lower": round(gate.lower, 4),
    }


def _champions_accuracy(seen: Observed, gate: GateEvaluated) -> float | None:
    """Of the first n predictions that count: by a version of its lineage, made since."""
    lineage = {v.version_id: v.lineage or v.pipeline for v in versions(seen).values()}
    counting = (
        labelled.error
        for labelled in seen.labelled.values()
        if labelled.at > gate.since and lineage.get(labelled.version) == gate.champion
    )
    errors = list(islice(counting, gate.n))
    return 1 - sum(errors) / len(errors) if errors else None


def _frozen_error(seen: Observed) -> float | None:
    """Of the first champion, had it served alone, as the learner judged it all along."""
    figures = seen.figures.get("frozen")
    if figures is None:
        return None
    accuracy = figures.metrics.get("as_of_accuracy")
    return figures.metrics.get("as_of_mae") if accuracy is None else 1 - accuracy
