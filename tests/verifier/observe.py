"""What did the joiner write? Read as a consumer must: repeats are dropped by identity."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

import orjson

from tests.verifier.envelope import Json
from tests.verifier.joining import Position
from tests.verifier.murmur import partition_for
from tests.verifier.reading import Logs, Record
from tests.verifier.recompute import CountsAt, DeadLetterAt, Source, Tally
from tests.verifier.times import own_millis

K = TypeVar("K")
NOTED = 20  # violations kept in words; all are counted


class MarkSeen(NamedTuple):
    """A mark for one input partition, and what had been counted of it before, by model."""

    journal_partition: int
    partition: int
    time: int
    counted: dict[str, int]


@dataclass(slots=True)
class Observed:
    """Outputs by identity (first record of each), and what broke a rule of the journal."""

    joined: dict[Position, Record] = field(default_factory=dict)
    corrections: dict[Position, Record] = field(default_factory=dict)
    unmatched: dict[Source, Record] = field(default_factory=dict)
    dead_letters: dict[DeadLetterAt, Record] = field(default_factory=dict)
    counts: dict[CountsAt, Tally] = field(default_factory=dict)
    marks: list[MarkSeen] = field(default_factory=list)
    duplicates: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    late_segments: int = 0
    violations: list[str] = field(default_factory=list)
    violation_count: int = 0

    def violated(self, record: Record, topic: str, sentence: str) -> None:
        """Notes a broken rule."""
        self.violation_count += 1
        if len(self.violations) < NOTED:
            self.violations.append(f"{topic}[{record.partition}] @{record.offset}: {sentence}")


def observe(logs: Logs, pane_ms: int) -> Observed:
    """Reads journal, unmatched and dead letters."""
    observed = Observed()
    journal = _Journal(observed, logs.journal_partitions, pane_ms)
    _each(logs.journal, "journal", observed, journal.read)
    _each(logs.unmatched, "unmatched", observed, lambda record, document: _keep(
        observed, "unmatched", observed.unmatched,
        (document["reason"], *_position(document["source_tp"])), record,
    ))  # fmt: skip
    _each(logs.dead_letters, "dead-letters", observed, lambda record, document: _keep(
        observed, "dead letter", observed.dead_letters,
        (document["topic"], document["partition"], document["offset"]), record,
    ))  # fmt: skip
    return observed


def _each(
    records: list[Record], topic: str, observed: Observed, read: Callable[[Record, Json], None]
) -> None:
    for record in records:
        try:
            read(record, orjson.loads(record.value or b""))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            observed.violated(record, topic, f"unreadable: {type(error).__name__} {error}")


def _position(value: list[int]) -> Position:
    partition, offset = value
    return partition, offset


def _keep(
    observed: Observed, kind: str, seen: dict[K, Record], identity: K, record: Record
) -> None:
    first = seen.setdefault(identity, record)
    if first is record:
        return
    observed.duplicates[kind] += 1
    if first.value != record.value and _content(first) != _content(record):
        observed.violated(record, kind, f"differs from an earlier record of {identity}")


def _content(record: Record) -> bytes:
    document = orjson.loads(record.value or b"")
    document.pop("version", None)  # of the service that wrote a dead letter: it may be upgraded
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)


class _Journal:
    def __init__(self, observed: Observed, partitions: int, pane_ms: int) -> None:
        self.observed = observed
        self.partitions = partitions
        self.pane_ms = pane_ms
        self.open_segment: dict[tuple[str, int], int] = {}
        # journal partition, input partition -> model -> predictions counted so far
        self.counted: dict[tuple[int, int], dict[str, int]] = defaultdict(lambda: defaultdict(int))
        self.last_correction: dict[Position, int] = {}

    def read(self, record: Record, document: Json) -> None:
        kind = document["kind"]
        if kind != "mark":
            self._check_place(record, document["model"])
        if kind == "joined":
            identity = _position(document["label_tp"])
            _keep(self.observed, kind, self.observed.joined, identity, record)
        elif kind == "correction":
            self._correction(record, document)
        elif kind == "counts":
            self._counts(record, document)
        elif kind == "mark":
            self._mark(record, document)
        elif kind != "control":
            self.observed.violated(record, "journal", f"unknown kind {kind!r}")

    def _check_place(self, record: Record, model: str) -> None:
        key = model.encode()
        if record.key != key:
            self.observed.violated(record, "journal", f"key is not the model {model!r}")
        elif partition_for(key, self.partitions) != record.partition:
            self.observed.violated(record, "journal", f"wrong partition for model {model!r}")

    def _correction(self, record: Record, document: Json) -> None:
        identity, corrects = _position(document["label_tp"]), _position(document["corrects"])
        if corrects not in self.observed.joined:
            self.observed.violated(record, "journal", f"correction before its joined {corrects}")
        if identity not in self.observed.corrections:
            if identity[1] < self.last_correction.get(corrects, -1):
                self.observed.violated(record, "journal", f"corrections of {corrects} disordered")
            self.last_correction[corrects] = identity[1]
        _keep(self.observed, "correction", self.observed.corrections, identity, record)

    def _counts(self, record: Record, document: Json) -> None:
        at, tally = _identity(document), _tally(document)
        if document["seconds"] * 1000 != self.pane_ms or at.pane % self.pane_ms:
            self.observed.violated(record, "journal", "counts of panes of another length")
        best = self.observed.counts.get(at)
        newer = self.observed.counts[at] = self._better(record, best, tally)
        if newer is best:
            self.observed.duplicates["counts"] += 1
        before = 0 if best is None else best.n
        self.counted[record.partition, at.partition][at.model] += newer.n - before
        self._check_segment(record, at, has_news=newer is not best)

    def _better(self, record: Record, best: Tally | None, tally: Tally) -> Tally:
        if best is None:
            return tally
        low, high = sorted((best, tally), key=lambda entry: entry.n)
        if not _dominates(high, low) or (low.n == high.n and low != high):
            self.observed.violated(record, "journal", "counts with more n have less in a bin")
        return tally if tally.n > best.n else best

    def _check_segment(self, record: Record, at: CountsAt, *, has_news: bool) -> None:
        """A reader has folded every lower segment of this model and partition, and ignores them."""
        open_segment = self.open_segment.setdefault((at.model, at.partition), at.segment)
        self.open_segment[at.model, at.partition] = max(open_segment, at.segment)
        if at.segment < open_segment:
            self.observed.late_segments += 1
            if has_news:
                self.observed.violated(
                    record, "journal", f"news of segment {at.segment} after {open_segment} began"
                )

    def _mark(self, record: Record, document: Json) -> None:
        for partition, time in document["times"].items():
            counted = dict(self.counted[record.partition, int(partition)])
            self.observed.marks.append(
                MarkSeen(record.partition, int(partition), own_millis(time), counted)
            )


def _identity(document: Json) -> CountsAt:
    return CountsAt(
        document["model"],
        document["model_version"],
        document["partition"],
        document["segment"],
        own_millis(document["pane"]),
        document.get("bins_id") or "",
    )


def _tally(document: Json) -> Tally:
    return Tally(
        document["n"],
        document["skewed"],
        document.get("counts") or {},
        document.get("prediction_counts"),
    )


def _dominates(high: Tally, low: Tally) -> bool:
    if high.skewed < low.skewed or high.counts.keys() != low.counts.keys():
        return False
    pairs = [(high.counts[name], vector) for name, vector in low.counts.items()]
    pairs.append((high.prediction_counts or [], low.prediction_counts or []))
    return all(
        len(more) == len(less) and all(a >= b for a, b in zip(more, less, strict=True))
        for more, less in pairs
    )
