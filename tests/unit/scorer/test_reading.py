"""What does a scorer take from a registry that is damaged?"""

from dataclasses import dataclass
from typing import Any, cast

import pytest
from confluent_kafka import Consumer, KafkaError

from driftline.core.fact_chain import BrokenChainError, Draft, seal
from driftline.scorer.reading import Reading
from driftline.scorer.wanted import Wanted
from tests.unit.core.registry.book import Book, gate, running


@dataclass(frozen=True)
class Message:
    """A record, or (None) the end of the partition."""

    raw: bytes | None
    place: int = 0

    def error(self) -> KafkaError | None:
        return KafkaError(KafkaError._PARTITION_EOF) if self.raw is None else None

    def value(self) -> bytes | None:
        return self.raw

    def offset(self) -> int:
        return self.place


class Scripted:
    """A consumer that brings these batches."""

    def __init__(self, *batches: list[bytes | None]) -> None:
        self._batches = list(batches)

    def assign(self, _places: object) -> None:
        return

    def poll(self, _seconds: float) -> Message:
        return Message(self._batches[0].pop(0))

    def consume(self, _most: int, _seconds: float) -> list[Message]:
        return [Message(raw) for raw in self._batches.pop(0)]


def damaged(book: Book) -> bytes:
    """A fact that follows, and whose body no reader can take in."""
    body = {**gate("0" * 16, 1), "mean": None}
    _, raw = seal(Draft("x", "gate_evaluated", "ann", "because", body), book.state.last, book.now)
    return raw


def test_a_fact_that_cannot_be_taken_in_is_damage_and_what_came_before_it_is_told() -> None:
    book = running()
    before = list(book.records)
    book.accepted("promote", {"model": "churn", "version": "lr/v1"})
    told: list[list[Wanted]] = []
    reading = Reading("nowhere", "p", lambda news: told.append(list(news)))
    consumer: Any = Scripted([*before, None], [book.records[-1], damaged(book)])
    with pytest.raises(BrokenChainError, match=r"fact 5 \(gate_evaluated\) .* mean: Input should"):
        reading._read(cast("Consumer", consumer))
    assert [[wanted.seq for wanted in news] for news in told] == [[1], [2]]
