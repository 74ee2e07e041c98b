"""Laws that every state of this folder keeps, whatever it is fed."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from math import inf, nan
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.core.drift.blocks import Blocks
from driftline.core.drift.counts import BlockCounts, merged
from driftline.core.drift.data_incident import BlockVerdict, DataIncident
from driftline.core.drift.error_detector import ErrorDetector
from driftline.core.drift.error_incident import ErrorIncident


@dataclass(frozen=True)
class Subject:
    """A state, how to feed it, and input that makes it do everything it can."""

    new: Callable[[], Any]
    step: Callable[[Any, Any], Any]
    inputs: list[Any]
    snapshot_limit: int  # bytes of JSON


def error_rates(rng: random.Random) -> list[float]:
    return [float(rng.random() < rate) for rate in [0.1] * 1_500 + [0.6] * 700 + [0.1] * 800] * 2


def labels(rng: random.Random, errors: list[float]) -> list[tuple[float, int, int]]:
    return [(e, i * 10 - rng.randrange(2_000), i * 10) for i, e in enumerate(errors)]


def scaled(rng: random.Random, errors: list[float]) -> list[float]:
    odd = [nan, inf, -inf, -3.0, 1e300]
    return [rng.choice(odd) if rng.random() < 0.01 else e * rng.random() for e in errors]


def panes(rng: random.Random) -> list[tuple[int, int, BlockCounts]]:
    index, made = 0, []
    for _ in range(3_000):
        index += rng.choice([1, 1, 1, 2, 3, 1_000_000])
        n = rng.choice([0, 3, 40, 150, 900])
        names = rng.sample("abcd", rng.randrange(5))
        made.append((index, n, {name: np.array([n, index % 7, 1]) for name in names}))
    return made


def verdicts(rng: random.Random) -> list[BlockVerdict]:
    return [
        BlockVerdict(
            max(0, i - rng.randrange(3)),
            rng.choice([1, 2, 4]),
            rng.choice([200, 1_000, 5_000]),
            200,
            {name: rng.random() for name in rng.sample("abcdef", rng.choice([0, 0, 0, 1, 3]))},
            rng.randrange(7),
            i * 10,
        )
        for i in range(3_000)
    ]


def feed_pane(state: Blocks, pane: tuple[int, int, BlockCounts]) -> Any:
    return [
        (b.start_index, b.panes, b.target, b.n, {k: v.tolist() for k, v in b.counts.items()})
        for b in state.close(*pane)
    ]


RNG = random.Random(11)
ERRORS = error_rates(RNG)
SUBJECTS = {
    "blocks": Subject(Blocks, feed_pane, panes(RNG), 20_000),
    "error detector": Subject(ErrorDetector, ErrorDetector.update, ERRORS, 4_000),
    "error detector, odd errors": Subject(
        ErrorDetector, ErrorDetector.update, scaled(RNG, ERRORS), 4_000
    ),
    "error incident": Subject(
        ErrorIncident, lambda state, label: state.step(*label), labels(RNG, ERRORS), 6_000
    ),
    "error incident, odd errors": Subject(
        ErrorIncident,
        lambda state, label: state.step(*label),
        labels(RNG, scaled(RNG, ERRORS)),
        40_000,
    ),
    "data incident": Subject(DataIncident, DataIncident.step, verdicts(RNG), 1_000),
}
every_subject = pytest.mark.parametrize("subject", SUBJECTS.values(), ids=SUBJECTS.keys())


def restarted(state: Any) -> Any:
    return type(state).restore(json.loads(json.dumps(state.snapshot(), allow_nan=False)))


def run(subject: Subject, restart_every: int | None = None) -> list[Any]:
    state, outcomes = subject.new(), []
    for i, value in enumerate(subject.inputs):
        if restart_every and i % restart_every == 0:
            state = restarted(state)
        outcomes.append(subject.step(state, value))
    return [*outcomes, state.snapshot()]


@every_subject
@pytest.mark.parametrize("restart_every", [7, 500])
def test_a_restart_changes_nothing(subject: Subject, restart_every: int) -> None:
    assert run(subject, restart_every) == run(subject)


@every_subject
def test_the_same_input_gives_the_same_outcomes(subject: Subject) -> None:
    assert run(subject) == run(subject)


@every_subject
def test_the_input_exercises_it(subject: Subject) -> None:
    *outcomes, _ = run(subject)
    kinds = {type(outcome) for outcome in outcomes if outcome}
    assert kinds, "a law over input that does nothing proves nothing"


@every_subject
def test_input_is_left_as_it_was(subject: Subject) -> None:
    before = repr(subject.inputs)
    run(subject)
    assert repr(subject.inputs) == before


@every_subject
def test_memory_is_bounded(subject: Subject) -> None:
    state = subject.new()
    for i, value in enumerate(subject.inputs):
        subject.step(state, value)
        if i % 100 == 0:
            assert len(json.dumps(state.snapshot())) < subject.snapshot_limit


@every_subject
def test_a_snapshot_is_a_copy(subject: Subject) -> None:
    state = subject.new()
    half = len(subject.inputs) // 2
    for value in subject.inputs[:half]:
        subject.step(state, value)
    snapshot = state.snapshot()
    kept = json.dumps(snapshot)
    for value in subject.inputs[half:]:
        subject.step(state, value)
    assert json.dumps(snapshot) == kept


block_counts = st.dictionaries(
    st.sampled_from("abc"), st.lists(st.integers(0, 2**40), min_size=3, max_size=3).map(np.array)
)


def as_lists(counts: BlockCounts) -> dict[str, list[int]]:
    return {name: values.tolist() for name, values in counts.items()}


@given(block_counts, block_counts, block_counts)
def test_counts_merge_in_any_order_and_grouping(
    a: BlockCounts, b: BlockCounts, c: BlockCounts
) -> None:
    whole = as_lists(merged(merged(a, b), c))
    assert whole == as_lists(merged(a, merged(b, c))) == as_lists(merged(c, merged(b, a)))


@given(block_counts, block_counts)
def test_merging_leaves_both_sides_alone(a: BlockCounts, b: BlockCounts) -> None:
    before = as_lists(a), as_lists(b)
    total = merged(a, b)
    for values in total.values():
        values += 1
    assert (as_lists(a), as_lists(b)) == before
