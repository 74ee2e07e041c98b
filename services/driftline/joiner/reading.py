"""Which records of a partition are events in their place? The others become dead letters."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import xxhash

from driftline.core.joining.envelope import (
    LabelEvent,
    PredictionEvent,
    Refusal,
    read_label,
    read_prediction,
)
from driftline.core.joining.misplaced import partitions_of
from driftline.runtime.dead_letters import DeadLetters
from driftline.runtime.ports import TP, Record
from driftline_schemas.topics import PREDICTIONS

MISPLACED: Final = (
    "murmur2 of the prediction id gives another partition: set the producer's partitioner to"
    " murmur2 (librdkafka: partitioner=murmur2_random) and the id as the key"
)


class Known(NamedTuple):
    """A record whose envelope is good, with the hash of its key."""

    record: Record
    key: int
    event: Any


class Refused(NamedTuple):
    """A record whose envelope is not good, and why."""

    record: Record
    refusal: Refusal


class _Read(NamedTuple):
    records: Sequence[Record]
    outcomes: Sequence[Known | Refused]


def key_hash(event: PredictionEvent | LabelEvent) -> int:
    """64 bits of (model, prediction id); an id cannot hold the separator."""
    return xxhash.xxh3_64_intdigest(f"{event.prediction_id}\n{event.model}".encode())


@dataclass(slots=True)
class Envelopes:
    """Reads the envelopes of one partition; what `keys` read, `judged` does not read again."""

    partition: int
    predictions: str  # the topic's full name
    dead_letters: DeadLetters
    _read: _Read = field(default_factory=lambda: _Read((), ()))

    def keys(self, topic: str, records: Sequence[Record]) -> list[int]:
        """The key hashes of the good ones; nothing is decided yet."""
        self._read = self._read_all(topic, records)
        return [each.key for each in self._read.outcomes if isinstance(each, Known)]

    def judged(self, topic: str, records: Sequence[Record], silent_below: int) -> list[Known]:
        """The good records; the others become dead letters, if they were not before."""
        read = self._read if self._read.records is records else self._read_all(topic, records)
        self._read = _Read((), ())
        good: list[Known] = []
        for each in self._placed(read.outcomes):
            if isinstance(each, Known):
                good.append(each)
            elif each.record.offset >= silent_below:
                tp, refusal = TP(topic, self.partition), each.refusal
                self.dead_letters.put(refusal.reason, refusal.sentence, tp, each.record)
        return good

    def _placed(self, outcomes: Sequence[Known | Refused]) -> Sequence[Known | Refused]:
        ids = [each.event.prediction_id for each in outcomes if isinstance(each, Known)]
        places = partitions_of(ids, PREDICTIONS.partitions)
        if places.count(self.partition) == len(places):
            return outcomes
        place = iter(places)
        misplaced = Refusal("misplaced", MISPLACED)
        return [
            Refused(each.record, misplaced)
            if isinstance(each, Known) and next(place) != self.partition
            else each
            for each in outcomes
        ]

    def _read_all(self, topic: str, records: Sequence[Record]) -> _Read:
        read = read_prediction if topic == self.predictions else read_label
        return _Read(records, [_outcome(record, read) for record in records])


def _outcome(record: Record, read: Callable[[bytes | None], Any]) -> Known | Refused:
    try:
        event = read(record.value)
    except Refusal as refusal:
        return Refused(record, refusal)
    return Known(record, key_hash(event), event)
