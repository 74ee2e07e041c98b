"""Is nothing written that some reader could not take in? What is in the log stays."""

import json
from typing import Any

import pytest

from driftline.core.fact_chain import BrokenChainError, Draft, verified
from driftline.core.registry.deciding import decide
from driftline.core.registry.decision import Moment
from driftline.core.registry.proof import MOST_BYTES
from driftline.core.registry.state import RegistryState
from driftline_schemas.codec import content_hash, decode, short_hash
from driftline_schemas.registry import RegistryCommand
from tests.unit.core.registry.book import BINS, START, Book, gate, running, spec, version

LR1 = short_hash("lr", "1")
HUGE = "9" * 30


def deep(levels: int) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for _ in range(levels):
        nested = {"d": nested}
    return nested


def of(action: str, **parts: Any) -> tuple[str, dict[str, Any]]:
    """A body of the action that would be accepted, but for these parts."""
    spec_hash = spec()["spec_hash"]
    bodies = {
        "gate_evaluated": lambda: gate(LR1, 1, **parts),
        "model_updated": lambda: version(spec_hash, "lr", 2, **parts),
        "apply_spec": lambda: {**spec(alarm_budget=0.01), **parts},
    }
    return action, bodies[action]()


def bins(**parts: Any) -> dict[str, Any]:
    age = {"kind": "numeric", "edges": [1.0], "reference": [1, 1, 0, 0], **parts}
    return {**BINS, "features": {"age": age}}


def many_schedules(number: int) -> dict[str, Any]:
    """Small as it was written, and not with all that a specification leaves out."""
    return spec(schedules=[{"cron": "* * * * *", "pipeline": ""}] * number)


POISON = [
    pytest.param(*of("gate_evaluated", mean="nan", lower="nan", upper="nan"), id="NaN in a text"),
    pytest.param(*of("gate_evaluated", variance="inf", verdict="reject"), id="no end"),
    pytest.param(*of("gate_evaluated", n=HUGE), id="a wide integer"),
    pytest.param(*of("gate_evaluated", since=10**17), id="a time after all times"),
    pytest.param(*of("model_updated", metrics={"a": "nan"}), id="NaN among the figures"),
    pytest.param(*of("model_updated", seeds={"a": HUGE}), id="a wide seed"),
    pytest.param(
        *of("model_updated", artifact={"uri": "u", "sha256": "0" * 64, "bytes": HUGE}), id="bytes"
    ),
    pytest.param(*of("apply_spec", bins=bins(edges=["nan"])), id="NaN for an edge"),
    pytest.param(*of("apply_spec", bins=bins(reference=[HUGE, 1, 0, 0])), id="a wide count"),
    pytest.param("apply_spec", many_schedules(27_000), id="a specification that grows"),
    pytest.param("retrain", {"model": "churn", "pipeline": "lr", "from": [0, HUGE]}, id="offset"),
    pytest.param("retrain", {"model": "churn", "junk": deep(300)}, id="nested too deeply"),
]


@pytest.mark.parametrize(("action", "body"), POISON)
def test_a_command_whose_fact_nobody_could_take_in_is_refused_in_a_sentence(
    action: str, body: dict[str, Any]
) -> None:
    book = running()
    wire = {"command_id": "x", "action": action, "actor": "ann", "reason": "r", "body": body}
    given = decode(RegistryCommand, json.dumps(wire).encode())  # orjson writes less
    decision = decide(book.state, given, Moment(START, START))
    assert decision is not None
    assert decision.outcome == "refused"
    assert "\n" not in decision.why
    assert decision.body["model"] == "churn"
    fact = book.write(decision.draft)
    assert len(book.records[-1]) < 3_000
    reader = RegistryState()
    for each in verified(book.records):
        reader.apply(each)
    assert reader.last == fact


def test_bins_that_just_fit_are_accepted_and_one_byte_more_is_not() -> None:
    def padded(characters: int) -> dict[str, Any]:
        pad = {"kind": "categorical", "categories": ["c" * characters], "reference": [1]}
        return {**spec(), "bins": {**BINS, "features": {"pad": pad}}}

    book = Book()
    room = MOST_BYTES - len(Book().write(_draft(padded(0))).model_dump_json())
    assert "over the limit of 1,000,000" in book.refused("apply_spec", padded(room + 1_000))
    book.accepted("apply_spec", padded(room - 1_000))


def _draft(body: dict[str, Any]) -> Draft:
    return Draft("c1", "apply_spec", "ann", "because", body)


@pytest.mark.parametrize(
    ("action", "body", "says"),
    [
        ("gate_evaluated", {**gate(LR1, 1), "mean": None}, r"mean: Input should be a valid number"),
        ("apply_spec", {"spec": None}, "TypeError"),
        ("promote", {"model": "churn", "deployed": {}}, "deployment_seq: Field required"),
        ("hold", {"model": "churn"}, r"KeyError \('held'\)"),
        ("schedule", {"model": "churn", "due": "soon"}, "is no RFC 3339 time"),
    ],
)
def test_a_fact_that_is_there_and_cannot_be_taken_in_is_damage(
    action: Any, body: dict[str, Any], says: str
) -> None:
    book = running()
    last = book.state.last
    with pytest.raises(BrokenChainError, match=rf"fact 4 \({action}\) cannot be .*{says}"):
        book.write(Draft("x", action, "ann", "because", body))
    assert book.state.last == last


def test_a_fact_says_what_its_command_asked_for() -> None:
    book = running()
    first, again, other = (
        book.do("hold", {"model": "churn", "lineage": lineage}).command_hash
        for lineage in ("lr", "lr", "sm")
    )
    assert first == again == content_hash(["hold", {"model": "churn", "lineage": "lr"}, None])
    assert other != first
