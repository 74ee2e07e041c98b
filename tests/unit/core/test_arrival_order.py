"""Chunks come out by append time, whatever came in together, and never ahead of what lags."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from driftline.core.arrival_order import ArrivalOrder


@dataclass(frozen=True, slots=True)
class At:
    timestamp: int


def records(*times: int) -> list[At]:
    return [At(time) for time in times]


def drained(order: ArrivalOrder[str, At], lagging: dict[str, int]) -> list[tuple[str, list[int]]]:
    chunks = []
    while (chunk := order.next(lagging)) is not None:
        chunks.append((chunk[0], [record.timestamp for record in chunk[1]]))
    return chunks


def test_the_oldest_head_comes_first_and_stops_where_another_begins() -> None:
    order: ArrivalOrder[str, At] = ArrivalOrder(slack_ms=0)
    order.add("a", records(5, 6, 20))
    order.add("b", records(10, 11))
    assert drained(order, {}) == [("a", [5, 6]), ("b", [10, 11]), ("a", [20])]


def test_records_within_the_slack_count_as_equally_old() -> None:
    order: ArrivalOrder[str, At] = ArrivalOrder(slack_ms=10)
    order.add("a", records(5, 6, 20, 21))
    order.add("b", records(10, 11))
    assert drained(order, {}) == [("a", [5, 6, 20]), ("b", [10, 11]), ("a", [21])]


def test_nothing_runs_further_ahead_of_a_lagging_partition_than_the_lead() -> None:
    order: ArrivalOrder[str, At] = ArrivalOrder(lead_ms=1_000)
    order.add("a", records(500, 1_500, 1_501))
    assert drained(order, {"b": 500}) == [("a", [500, 1_500])]
    assert drained(order, {"b": 501}) == [("a", [1_501])]


def test_a_lagging_partition_with_records_here_is_bounded_by_them_alone() -> None:
    order: ArrivalOrder[str, At] = ArrivalOrder(lead_ms=0, slack_ms=0)
    order.add("a", records(1))
    order.add("b", records(2))
    assert order.next({"a": 0, "b": 0}) == ("a", records(1))


def test_without_a_lead_each_partition_runs_freely() -> None:
    order: ArrivalOrder[str, At] = ArrivalOrder(lead_ms=None)
    order.add("a", records(99_999))
    assert drained(order, {"b": 0}) == [("a", [99_999])]


def test_what_is_dropped_is_forgotten() -> None:
    order: ArrivalOrder[str, At] = ArrivalOrder()
    order.add("a", records(1, 2))
    order.add("b", records(3))
    order.drop(["a", "never seen"])
    assert (order.buffered("a"), order.buffered("b")) == (0, 1)
    order.clear()
    assert order.next({}) is None


TIMES = st.lists(st.integers(0, 10_000), max_size=40).map(sorted)


@given(
    partitions=st.dictionaries(st.sampled_from("abc"), TIMES),
    chunk=st.integers(1, 7),
    slack=st.integers(0, 500),
)
def test_everything_comes_out_once_in_order_and_no_more_than_the_slack_late(
    partitions: dict[str, list[int]], chunk: int, slack: int
) -> None:
    order: ArrivalOrder[str, At] = ArrivalOrder(slack_ms=slack, chunk=chunk)
    for partition, times in partitions.items():
        order.add(partition, records(*times))
    out = drained(order, {})
    for partition, times in partitions.items():
        assert [t for p, taken in out for t in taken if p == partition] == times
    newest = 0
    for _, taken in out:
        assert 0 < len(taken) <= chunk
        assert taken[0] >= newest - slack
        newest = max(newest, taken[-1])
