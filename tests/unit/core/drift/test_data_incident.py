"""The data incident: one per model, its ranked cause, and when it is over."""

import numpy as np
import pytest

from driftline.core.drift.bins import BooleanBins
from driftline.core.drift.blocks import JudgedBlock
from driftline.core.drift.data_incident import (
    BlockVerdict,
    Cause,
    DataIncident,
    Extended,
    Opened,
    Resolved,
    block_verdict,
)
from driftline.core.drift.two_sample import compare


def verdict(
    start: int,
    effects: dict[str, float] | None = None,
    *,
    panes: int = 1,
    target: int = 200,
    judged: int = 3,
) -> BlockVerdict:
    return BlockVerdict(start, panes, target, 200, effects or {}, judged, offset=start * 100)


def test_drifted_features_open_one_incident_ranked_by_effect() -> None:
    opened = DataIncident().step(verdict(5, {"b": 0.2, "c": 0.4, "a": 0.2}))
    assert opened == Opened((Cause("c", 0.4, 500), Cause("a", 0.2, 500), Cause("b", 0.2, 500)))


def test_a_further_feature_extends_it_and_each_keeps_when_it_was_first_seen() -> None:
    incident = DataIncident()
    incident.step(verdict(5, {"a": 0.2}))
    extended = incident.step(verdict(6, {"a": 0.3, "b": 0.9}))
    assert extended == Extended((Cause("b", 0.9, 600), Cause("a", 0.3, 500)))


def test_the_same_features_again_are_no_news_but_their_largest_effect_stands() -> None:
    incident = DataIncident()
    incident.step(verdict(5, {"a": 0.2}))
    assert incident.step(verdict(6, {"a": 0.4})) is None
    assert incident.step(verdict(7, {"a": 0.1})) is None
    assert incident.cause == (Cause("a", 0.4, 500),)


def test_the_first_clean_small_block_resolves_it() -> None:
    incident = DataIncident()
    incident.step(verdict(5, {"a": 0.2}))
    assert incident.step(verdict(6)) == Resolved((Cause("a", 0.2, 500),))
    assert not incident.is_open
    assert incident.step(verdict(7)) is None


@pytest.mark.parametrize(
    "no_evidence",
    [
        pytest.param(verdict(4, panes=4, target=1_000), id="a clean large block"),
        pytest.param(verdict(6, judged=0), id="a block that could judge nothing"),
        pytest.param(verdict(5), id="the drifted block, judged for a less sensitive target"),
    ],
)
def test_it_stays_open_after(no_evidence: BlockVerdict) -> None:
    incident = DataIncident()
    incident.step(verdict(5, {"a": 0.2}, target=5_000))
    assert incident.step(no_evidence) is None
    assert incident.is_open


def test_larger_blocks_that_begin_before_its_end_do_not_open_it_again() -> None:
    incident = DataIncident()
    incident.step(verdict(5, {"a": 0.2}))
    incident.step(verdict(6))
    assert not incident.judges(5)
    assert incident.step(verdict(4, {"a": 0.2}, panes=4, target=1_000)) is None
    assert incident.judges(6)
    assert isinstance(incident.step(verdict(6, {"a": 0.2}, panes=2, target=1_000)), Opened)


def test_a_block_is_summed_up_from_its_comparisons() -> None:
    same, moved, none = (np.array(c) for c in ([50, 50, 0, 0], [0, 100, 0, 0], [0, 0, 0, 0]))
    block = JudgedBlock(3, 1, 200, 100, {})
    comparisons = {
        scope: compare(BooleanBins(), same, current, 0.001)
        for scope, current in {"a": same, "b": moved, "c": none}.items()
    }
    summed = block_verdict(block, comparisons, offset=9)
    assert (summed.start_index, summed.target, summed.judged, summed.offset) == (3, 200, 2, 9)
    assert summed.effects == {"b": comparisons["b"].effect}
