"""Challengers against what is deployed: which predictions count, when a test begins anew."""

from random import Random
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.core.gates.contest import Contest, Evaluation
from driftline.core.gates.gate import Gate
from driftline.core.gates.pairs import Pair, PairPolicy


def contest(*challengers: str, served: bool = True) -> Contest:
    new = Contest(Gate(), PairPolicy())
    if served:
        new.deployed("champion-1", "champion", 0)
    for challenger in challengers:
        new.enter(challenger)
    return new


def label(judged: Contest, i: int, **gains: float) -> list[Evaluation]:
    for challenger, gain in gains.items():
        judged.add(challenger, Pair(i, i, i // 50, gain))
    return judged.labelled(i + 1)


def run(judged: Contest, begin: int, n: int, **gains: float) -> list[Evaluation]:
    return [e for i in range(begin, begin + n) for e in label(judged, i, **gains)]


def test_all_challengers_are_evaluated_every_25_labels() -> None:
    found = run(contest("a", "b"), 1, 100, a=0.0, b=1.0)
    assert [(e.challenger, e.judgement.gains.n) for e in found] == [
        (name, n) for n in (25, 50, 75, 100) for name in ("a", "b")
    ]


def test_labels_without_pairs_count_for_the_rhythm_only() -> None:
    judged = contest("a")
    assert run(judged, 1, 24) == []
    (evaluation,) = run(judged, 25, 1, a=1.0)
    assert evaluation.judgement.gains.n == 1


def test_who_is_right_where_the_champion_is_wrong_is_promoted_with_a_proven_version() -> None:
    found = run(contest("a", "b"), 1, 200, a=1.0, b=0.0)
    last = {e.challenger: e for e in found[-2:]}
    assert last["a"].judgement.verdict == "promote"
    assert last["a"].number == 2  # of versions 0 to 4; 2 and later made 101 pairs
    assert (last["a"].test, last["a"].rivals) == (1, 2)
    assert last["b"].judgement.verdict == "reject"
    assert [e.is_new for e in found[:4]] == [True, True, False, False]
    assert last["a"].is_new


def test_an_incident_begins_a_new_test_of_later_predictions() -> None:
    judged = contest("a")
    run(judged, 1, 150, a=1.0)
    judged.restart(since=140)
    found = run(judged, 130, 45, a=1.0)[-1]
    assert found.judgement.gains.n == 14  # 141 to 154, which is the 175th label
    assert (found.test, found.since) == (2, 140)


def test_a_change_of_lineage_begins_a_new_test_and_a_newer_version_of_it_does_not() -> None:
    judged = contest("a", "b")
    run(judged, 1, 100, a=0.0, b=0.0)
    judged.deployed("champion-2", "champion", 50)
    assert (judged.test, judged.since) == (1, -1)
    judged.deployed("a-7", "a", 120)
    assert (judged.test, judged.since) == (2, 120)
    assert judged.challengers == ("b",)
    judged.enter("champion")
    assert sorted(judged.challengers) == ["b", "champion"]


def test_a_later_begin_is_not_turned_back_by_an_earlier_one() -> None:
    judged = contest("a")
    judged.restart(500)
    judged.restart(400)
    assert (judged.test, judged.since) == (3, 500)


def test_only_versions_of_the_deployed_lineage_count() -> None:
    judged = contest("a")
    judged.deployed("champion-2", "champion", 10)
    assert [judged.counts(v) for v in ("champion-1", "champion-2", "a-1", "?")] == [
        True, True, False, False,
    ]  # fmt: skip
    judged.deployed("a-1", "a", 20)
    assert [judged.counts(v) for v in ("champion-1", "champion-2", "a-1")] == [False, False, True]


def test_what_is_served_outside_is_one_lineage() -> None:
    judged = contest("a", served=False)
    assert judged.counts("v1")
    assert judged.counts("v2")


def test_a_pair_of_a_stranger_is_a_bug() -> None:
    with pytest.raises(KeyError):
        contest().add("a", Pair(1, 1, 0, 0.0))


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 300))
def test_a_restored_contest_goes_on_identically(seed: int, at: int) -> None:
    def history(restore_at: int | None) -> tuple[list[Evaluation], dict[str, Any]]:
        judged, rng, found = contest("a", "b"), Random(seed), []
        for i in range(1, 301):
            if i == restore_at:
                stored = orjson.loads(orjson.dumps(judged.snapshot()))
                judged = Contest.restore(judged.gate, judged.policy, stored)
            if rng.random() < 0.01:
                judged.restart(i - 5)
            gains = {name: float(rng.choice([-1, 0, 1])) for name in judged.challengers}
            found += label(judged, i, **gains)
        return found, judged.snapshot()

    assert history(at) == history(None)
