"""Is a registry that somebody changed found out?"""

import orjson
import pytest

from driftline.core.fact_chain import BrokenChainError, Draft, seal, verified
from driftline_schemas.registry import GENESIS, Fact, fact_hash


def chain(length: int) -> list[bytes]:
    records: list[bytes] = []
    last: Fact | None = None
    for i in range(length):
        body = {"i": i, "share": 0.1, "nothing": None}
        draft = Draft(f"c{i}", "hold", "ann", "a reason", body)
        last, raw = seal(draft, last, 1_000 * i)
        records.append(raw)
    return records


def test_sealed_facts_verify() -> None:
    facts = verified(chain(3))
    assert [fact.seq for fact in facts] == [0, 1, 2]
    assert facts[0].previous_hash == GENESIS
    assert facts[2].previous_hash == facts[1].hash
    assert facts[2].at == 2_000


def test_a_changed_fact_is_found() -> None:
    records = chain(3)
    records[1] = records[1].replace(b"a reason", b"no reason")
    with pytest.raises(BrokenChainError, match="fact 1 was changed"):
        verified(records)


def test_a_field_that_this_version_does_not_know_is_part_of_the_hash() -> None:
    (record,) = chain(1)
    with pytest.raises(BrokenChainError, match="fact 0 was changed"):
        verified([orjson.dumps({**orjson.loads(record), "later": 1})])


@pytest.mark.parametrize(
    ("order", "says"),
    [
        pytest.param([0, 2], "fact 2 stands where 1 belongs", id="one is missing"),
        pytest.param([1], "fact 1 stands where 0 belongs", id="the first is missing"),
        pytest.param([0, 0], "fact 0 stands where 1 belongs", id="one is there twice"),
    ],
)
def test_a_hole_or_a_repeat_is_found(order: list[int], says: str) -> None:
    records = chain(3)
    with pytest.raises(BrokenChainError, match=says):
        verified([records[i] for i in order])


def test_a_fact_of_another_history_is_found() -> None:
    other, raw = seal(Draft("x", "hold", "bob", "another", {}), None, 5)
    assert other.seq == 0
    with pytest.raises(BrokenChainError, match="fact 1 does not follow"):
        verified([raw, chain(2)[1]])


def test_what_is_no_fact_is_found() -> None:
    with pytest.raises(BrokenChainError, match="fact 0 cannot be read"):
        verified([b"{"])


def test_a_whole_fact_of_another_version_asks_for_an_upgrade_and_not_for_a_repair() -> None:
    first, second = chain(2)
    newer = {**orjson.loads(second), "action": "archive"}
    newer["hash"] = fact_hash(newer)
    with pytest.raises(BrokenChainError, match=r"fact 1 \(action 'archive'\) was written by"):
        verified([first, orjson.dumps(newer)])
    with pytest.raises(BrokenChainError, match="fact 1 cannot be read: action"):
        verified([first, orjson.dumps({**newer, "actor": "somebody else"})])
