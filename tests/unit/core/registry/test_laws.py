"""Laws of the registry: duplicates, the chain, the sequences, and the fold itself."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.core.fact_chain import verified
from driftline.core.registry.consequences import controls_of, deployment_of
from driftline.core.registry.state import RegistryState
from driftline_schemas.codec import encode, short_hash
from driftline_schemas.journal import JOURNAL_RECORD
from driftline_schemas.registry import RegistryCommand
from tests.unit.core.registry.book import START, Book, command, gate, spec, version

SPECS = [spec(follow=follow, alarm_budget=budget) for follow in (True, False)
         for budget in (0.005, 0.01)]  # fmt: skip
PIPELINES = st.sampled_from(["sm", "lr"])
NUMBERS = st.integers(1, 4)
NAMES = st.builds(lambda pipeline, number: f"{pipeline}/v{number}", PIPELINES, NUMBERS)


def of_churn(**parts: Any) -> dict[str, Any]:
    return {"model": "churn", **parts}


BODIES: st.SearchStrategy[tuple[str, dict[str, Any]]] = st.one_of(
    st.sampled_from(SPECS).map(lambda body: ("apply_spec", body)),
    st.builds(
        lambda body, pipeline, number, child: (
            "model_updated",
            version(body["spec_hash"], pipeline, number,
                    parent=short_hash(pipeline, str(number - 1)) if child else None),
        ),
        st.sampled_from(SPECS), PIPELINES, NUMBERS, st.booleans(),
    ),
    st.builds(
        lambda pipeline, number, seq: (
            "gate_evaluated", gate(short_hash(pipeline, str(number)), seq)),
        PIPELINES, NUMBERS, st.integers(0, 5),
    ),
    NAMES.map(lambda name: ("promote", of_churn(version=name))),
    st.one_of(st.none(), NAMES).map(lambda name: ("rollback", of_churn(to=name))),
    st.one_of(st.none(), NAMES).map(lambda name: ("hold", of_churn(lineage=name))),
    st.one_of(st.none(), NAMES).map(lambda name: ("lift", of_churn(lineage=name))),
    st.just(("retrain", of_churn(pipeline="lr", **{"from": [0, 9]}))),
)  # fmt: skip


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[RegistryCommand], list[RegistryCommand]]:
    """Commands in their order, and the same with any that were read again later."""
    drawn = draw(st.lists(BODIES, max_size=30))
    drawn = [("apply_spec", SPECS[0]), *drawn]
    commands = [command(f"c{i}", action, body) for i, (action, body) in enumerate(drawn)]
    repeated = list(commands)
    for position in draw(st.lists(st.integers(0, len(commands) - 1), max_size=10)):
        place = draw(st.integers(repeated.index(commands[position]) + 1, len(repeated)))
        repeated.insert(place, commands[position])
    return commands, repeated


def book_of(commands: list[RegistryCommand]) -> Book:
    book = Book()
    for given_command in commands:
        book.bring(given_command)
    return book


@settings(max_examples=150, deadline=None)
@given(histories())
def test_commands_that_are_read_again_give_the_same_facts(
    history: tuple[list[RegistryCommand], list[RegistryCommand]],
) -> None:
    once, repeated = history
    assert book_of(once).records == book_of(repeated).records


@settings(max_examples=100, deadline=None)
@given(histories())
def test_every_command_is_one_fact_and_the_chain_verifies(
    history: tuple[list[RegistryCommand], list[RegistryCommand]],
) -> None:
    commands, _ = history
    book = book_of(commands)
    facts = verified(book.records)
    assert [fact.command_id for fact in facts[1:]] == [each.command_id for each in commands]


@settings(max_examples=100, deadline=None)
@given(histories())
def test_deployment_sequences_rise_by_one_and_each_says_what_it_replaces(
    history: tuple[list[RegistryCommand], list[RegistryCommand]],
) -> None:
    book = book_of(history[0])
    deployments = [d for d in map(deployment_of, book.facts) if d is not None]
    assert [d.seq for d in deployments] == list(range(1, len(deployments) + 1))
    serving = [d.arms[0].version_id for d in deployments]
    assert [d.previous for d in deployments] == [None, *serving][: len(serving)]
    assert all(a != b for a, b in pairwise(serving))


@settings(max_examples=100, deadline=None)
@given(histories(), st.integers(0, 30))
def test_whoever_reads_the_facts_comes_to_the_owner_s_state(
    history: tuple[list[RegistryCommand], list[RegistryCommand]], split: int
) -> None:
    book = book_of(history[0])
    reader = RegistryState()
    for fact in verified(book.records):
        reader.apply(fact)
    assert reader == book.state
    goes_on = book_of(history[0][:split])
    for each in history[0][split:]:
        goes_on.bring(each)
    assert goes_on.records == book.records


@settings(max_examples=100, deadline=None)
@given(histories())
def test_a_lineage_that_is_held_is_never_deployed_by_a_service(
    history: tuple[list[RegistryCommand], list[RegistryCommand]],
) -> None:
    state = RegistryState()
    for fact in book_of(history[0]).facts:
        before = set(state.models["churn"].held) if "churn" in state.models else set()
        state.apply(fact)
        if fact.action in ("gate_evaluated", "model_updated") and "deployed" in fact.body:
            assert fact.body["deployed"]["lineage"] not in before


def controls(book: Book) -> Iterator[bytes]:
    for fact in book.facts:
        for control in controls_of(fact):
            yield encode(control)


@settings(max_examples=50, deadline=None)
@given(histories())
def test_every_control_record_is_a_journal_record_with_the_fact_s_sequence(
    history: tuple[list[RegistryCommand], list[RegistryCommand]],
) -> None:
    book = book_of(history[0])
    read = [JOURNAL_RECORD.validate_json(raw) for raw in controls(book)]
    seqs = [record.seq for record in read if record.kind == "control"]
    assert seqs == sorted(seqs)
    deployed = {d.seq for d in map(deployment_of, book.facts) if d is not None}
    told = {r.body.deployment_seq for r in read if r.kind == "control" and r.action == "deployed"}
    assert told == deployed
    assert book.now == START
