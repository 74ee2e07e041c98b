"""Build journal records as a joiner writes them, and fold them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from driftline.core.monitoring.fold import JournalFold, MonitorPolicy
from driftline_schemas.alerts import Alert
from driftline_schemas.journal import JOURNAL_RECORD, JournalRecord
from driftline_schemas.verdicts import Verdict

TOPIC = "driftline.journal.v1"
START = 1_790_000_000_000  # divisible by the panes below
PANE = 5_000
POLICY = MonitorPolicy(pane_ms=PANE, grace_ms=PANE, horizon_ms=600_000, input_partitions=2)
BINS_ID, SPEC_HASH = "b" * 16, "a" * 16
EDGES = [-0.67, 0.0, 0.67]
REFERENCE = [250, 250, 250, 250, 0, 0]


@dataclass(frozen=True, slots=True)
class Entry:
    """A record of the journal; `time` is its append time (ms)."""

    offset: int
    time: int
    record: JournalRecord


@dataclass(slots=True)
class Journal:
    """Writes records one after another, ten offsets apart: so that repeats fit in between."""

    entries: list[Entry] = field(default_factory=list)

    def write(self, time: int, **fields: Any) -> Entry:
        record = JOURNAL_RECORD.validate_python(fields)
        entry = Entry(10 * len(self.entries), time, record)
        self.entries.append(entry)
        return entry

    def spec(self, time: int = START, seq: int = 1, **changes: Any) -> Entry:
        return self.write(time, **spec(seq, **changes))

    def bins(self, time: int = START, seq: int = 1, **changes: Any) -> Entry:
        return self.write(time, **bins(seq, **changes))

    def mark(self, time: int) -> Entry:
        times = dict.fromkeys(range(POLICY.input_partitions), time)
        return self.write(time, kind="mark", times=times)

    def counts(self, time: int, n: int, vector: Sequence[int], **changes: Any) -> Entry:
        return self.write(time, **counts(n, vector, **changes))

    def joined(self, time: int, label_offset: int, **changes: Any) -> Entry:
        return self.write(time, **joined(time, label_offset, **changes))

    def deployed(self, time: int, seq: int, lineage: str, version: str | None = None) -> Entry:
        return self.write(time, **deployed(seq, lineage, version))

    def accept_drift(self, time: int, seq: int, panes: range, bins_id: str = BINS_ID) -> Entry:
        """`panes` are start and end (ms)."""
        body = {"bins_id": bins_id, "from_pane": panes.start, "to_pane": panes.stop}
        return self.write(
            time, kind="control", action="accept_drift", model="m", seq=seq, body=body
        )

    def correction(self, time: int, label_offset: int, corrects: int, **changes: Any) -> Entry:
        return self.write(time, **correction(time, label_offset, corrects, **changes))


def spec(seq: int, spec_hash: str = SPEC_HASH, model: str = "m", **changes: Any) -> dict[str, Any]:
    fields = {
        "model": model,
        "task": "binary",
        "features": [{"name": "x", "kind": "numeric"}, {"name": "y", "kind": "numeric"}],
        **changes,
    }
    body = {"spec_hash": spec_hash, "spec": fields}
    return {"kind": "control", "action": "spec", "model": model, "seq": seq, "body": body}


def bins(seq: int, bins_id: str = BINS_ID, model: str = "m") -> dict[str, Any]:
    feature = {"kind": "numeric", "edges": EDGES, "reference": REFERENCE}
    body = {
        "bins_id": bins_id,
        "effective_from": START,
        "features": {"x": feature, "y": feature},
        "n": sum(REFERENCE),
    }
    return {"kind": "control", "action": "bins", "model": model, "seq": seq, "body": body}


def deployed(
    seq: int, lineage: str, version: str | None = None, model: str = "m"
) -> dict[str, Any]:
    body = {"deployment_seq": seq, "version_id": version or f"{lineage}-1", "lineage": lineage}
    return {"kind": "control", "action": "deployed", "model": model, "seq": seq, "body": body}


def counts(n: int, vector: Sequence[int], **changes: Any) -> dict[str, Any]:
    """`vector` are the counts of feature x; those of y are as the reference."""
    quarter, rest = divmod(n, 4)
    even = [quarter + (i < rest) for i in range(4)] + [0, 0]
    return {
        "kind": "counts",
        "model": "m",
        "model_version": "v1",
        "pane": START,
        "seconds": PANE // 1_000,
        "partition": 0,
        "segment": 0,
        "bins_id": BINS_ID,
        "n": n,
        "skewed": 0,
        "counts": {"x": list(vector), "y": even},
        **changes,
    }


def joined(time: int, label_offset: int, **changes: Any) -> dict[str, Any]:
    return {
        "kind": "joined",
        "model": "m",
        "prediction_id": f"p{label_offset}",
        "model_version": "v1",
        "predicted_at": time - 1_000,
        "prediction_ts": time - 1_000,
        "prediction_tp": (0, label_offset),
        "label_ts": time,
        "label_tp": (0, label_offset),
        "features": {},
        "prediction": "yes",
        "label": "yes",
        **changes,
    }


def correction(time: int, label_offset: int, corrects: int, **changes: Any) -> dict[str, Any]:
    return {
        "kind": "correction",
        "model": "m",
        "prediction_id": f"p{corrects}",
        "model_version": "v1",
        "predicted_at": time - 1_000,
        "prediction": "yes",
        "label": "no",
        "previous_label": "yes",
        "label_ts": time,
        "label_tp": (0, label_offset),
        "corrects": (0, corrects),
        **changes,
    }


def new_fold(policy: MonitorPolicy = POLICY) -> JournalFold:
    return JournalFold(policy, TOPIC, 3)


def fold(entries: Iterable[Entry], into: JournalFold) -> list[Verdict | Alert]:
    """What the records make known; performance revisions are not asked for."""
    return [out for e in entries for out in into.step(e.offset, e.time, e.record)]


def alerts(found: Iterable[Verdict | Alert]) -> list[Alert]:
    return [event for event in found if isinstance(event, Alert)]


def verdicts(found: Iterable[Verdict | Alert], check: str) -> list[Verdict]:
    return [event for event in found if isinstance(event, Verdict) and event.check == check]
