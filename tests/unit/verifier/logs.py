"""Hand-written topics for the tests of the verifier, and a joiner without faults."""

from base64 import b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import orjson

from tests.verifier.joining import Rules
from tests.verifier.murmur import partition_for
from tests.verifier.reading import Logs, Record
from tests.verifier.recompute import (
    CountsAt,
    Expected,
    expected_correction,
    expected_joined,
    recompute,
)
from tests.verifier.times import rfc3339
from tests.verifier.traffic import Event

MODEL = "whale"
NOON = 1_764_072_000_000
MINUTE = 60_000
HOUR = 60 * MINUTE
RULES = Rules(horizon_ms=2 * HOUR, repeat_window_ms=HOUR, pane_ms=MINUTE)


@dataclass(slots=True)
class Topics:
    """Appends records; `at` in milliseconds after noon, positions are (partition, offset)."""

    partitions: int = 1
    records: dict[str, list[Record]] = field(default_factory=dict)

    def append(
        self, topic: str, value: bytes | None, *, at: int = 0, partition: int = 0, key: bytes = b""
    ) -> tuple[int, int]:
        written = self.records.setdefault(topic, [])
        offset = sum(record.partition == partition for record in written)
        written.append(Record(partition, offset, NOON + at, key, value))
        return partition, offset

    def prediction(self, name: str, *, at: int, **fields: Any) -> tuple[int, int]:
        document = {
            "prediction_id": name,
            "model": MODEL,
            "model_version": "v1",
            "predicted_at": rfc3339(NOON + at),
            "features": {},
            "prediction": "sky",
        }
        value = orjson.dumps({**document, **fields})
        return self.append(
            "predictions", value, at=at, partition=partition_for(name.encode(), self.partitions)
        )

    def label(self, name: str, label: str | float, *, at: int, **fields: Any) -> tuple[int, int]:
        document = {
            "prediction_id": name,
            "model": MODEL,
            "label": label,
            "labelled_at": rfc3339(NOON + at),
        }
        value = orjson.dumps({**document, **fields})
        return self.append(
            "labels", value, at=at, partition=partition_for(name.encode(), self.partitions)
        )

    def bins(self, bins_id: str, features: dict[str, Any], *, at: int, **body: Any) -> None:
        """A fact that puts bins into force at `at`."""
        bins = {"bins_id": bins_id, "effective_from": rfc3339(NOON + at), "features": features}
        fact = {"outcome": "accepted", "body": {"spec": {"model": MODEL}, "bins": bins | body}}
        self.append("registry", orjson.dumps(fact))

    def send(self, events: list[Event], *, apart: int) -> None:
        """Appends traffic, `apart` milliseconds from one record to the next."""
        for number, event in enumerate(events):
            self.append(
                event.topic,
                event.value,
                at=number * apart,
                partition=event.partition,
                key=event.key,
            )

    def logs(self) -> Logs:
        names = ("predictions", "labels", "registry", "journal", "unmatched", "dead-letters")
        predictions, labels, registry, journal, unmatched, dead = (
            self.records.get(name, []) for name in names
        )
        return Logs(
            predictions, labels, registry, journal, unmatched, dead,
            partitions=self.partitions, journal_partitions=8, prefix="test",
        )  # fmt: skip

    def recomputed(self, *, clock: int | None = None, rules: Rules = RULES) -> Expected:
        return recompute(self.logs(), rules, clock=None if clock is None else NOON + clock)

    def journal(self, document: dict[str, Any]) -> None:
        model = document.get("model")
        key = b"" if model is None else model.encode()
        self.append("journal", orjson.dumps(document), partition=partition_for(key, 8), key=key)

    def join_faultlessly(self, *, clock: int, rules: Rules = RULES) -> None:
        """Writes all outputs as a joiner without faults does, once its clock shows `clock`."""
        expected = self.recomputed(clock=clock, rules=rules)
        for pair in expected.joined.values():
            self.journal(expected_joined(*pair))
        for correction in expected.corrections.values():
            document = expected_correction(correction)
            self.journal(document | {"predicted_at": rfc3339(document["predicted_at"])})
        for at in sorted(expected.counts):
            self.journal(counts_record(at, expected))
        for (reason, *source), half in expected.alone.items():
            document = {
                "model": half.model,
                "prediction_id": half.prediction_id,
                "reason": reason,
                "source_tp": source,
                "source_ts": rfc3339(half.half.at),
            }
            if half.due:
                self.append("unmatched", orjson.dumps(document), at=clock)
        for (topic, partition, offset), dead in expected.dead_letters.items():
            letter = dead_letter(topic, partition, offset, min(dead.reasons), dead.record.value)
            self.append("dead-letters", orjson.dumps(letter))


def counts_record(at: CountsAt, expected: Expected) -> dict[str, Any]:
    """The last counts of a pane in a segment."""
    tally = expected.counts[at]
    document = {
        "kind": "counts",
        "model": at.model,
        "model_version": at.version,
        "pane": rfc3339(at.pane),
        "seconds": expected.rules.pane_ms // 1000,
        "partition": at.partition,
        "segment": at.segment,
        "bins_id": at.bins_id,
        "n": tally.n,
        "skewed": tally.skewed,
        "counts": tally.counts,
        "prediction_counts": tally.prediction_counts,
    }
    return {name: value for name, value in document.items() if value not in (None, "")}


def dead_letter(
    topic: str, partition: int, offset: int, reason: str, value: bytes | None
) -> dict[str, Any]:
    """The dead letter of a record."""
    whole = value or b""
    return {
        "reason": reason,
        "topic": topic,
        "partition": partition,
        "offset": offset,
        "value": None if value is None else b64encode(whole[: 256 * 1024]).decode(),
        "sha256": sha256(whole).hexdigest(),
        "length": len(whole),
    }
