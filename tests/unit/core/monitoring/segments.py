"""The demo's stream as a journal: image segments, a frozen champion, six features rotated.

Rows 693 on at 40 rows/s, in a loop of the 1,617 rows that the champion has not learned from; the
label of row i - 100 comes after prediction i. Written as a joiner writes it, without a broker.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from random import Random

from river import compose, datasets, linear_model, optim, preprocessing

from driftline.core.drift.bins import NumericBins, numeric_bins
from driftline.core.monitoring.fold import MonitorPolicy
from driftline_schemas.journal import JOURNAL_RECORD
from driftline_schemas.partitioner import partition_of
from tests.unit.core.monitoring.journal import BINS_ID, SPEC_HASH, Entry

FIRST, LAST = 693, 4_699
LATE = 100  # rows from a prediction to its label
ROW_MS = 25
PANE_MS = 5_000
PARTITIONS = 16
BEGIN = 1_790_000_000_000
FAULT = range(1_771, 3_388)
ROTATED = [
    "hue-mean", "exgreen-mean", "region-centroid-row", "rawred-mean", "saturation-mean",
    "rawblue-mean",
]  # fmt: skip
POLICY = MonitorPolicy(PANE_MS, PANE_MS, 604_800_000, PARTITIONS)

Features = dict[str, float]


@dataclass(frozen=True, slots=True)
class Row:
    """A row that was predicted."""

    number: int
    features: Features
    label: str
    prediction: str


@dataclass(frozen=True, slots=True)
class Stream:
    """When a row was predicted (ms); `phase` moves the stream against the panes. `takeovers`: the
    lineages that serve, by the row from which on they do (what they predict is the champion's)."""

    phase: int
    fault: range
    takeovers: tuple[tuple[int, str], ...] = ()

    def time(self, row: int) -> int:
        return BEGIN + self.phase + (row - FIRST) * ROW_MS

    def last_row_before(self, time: int) -> int:
        return FIRST + (time - 1 - BEGIN - self.phase) // ROW_MS


@cache
def segments() -> list[tuple[Features, str]]:
    return [(dict(x), str(y)) for x, y in datasets.ImageSegments()]  # type: ignore[no-untyped-call]  # River's is bare


@cache
def champion(seed: int) -> compose.Pipeline:
    model = preprocessing.StandardScaler() | linear_model.SoftmaxRegression(optim.SGD(0.01))
    shuffle, rows = Random(seed).shuffle, segments()[:FIRST]
    for _ in range(20):
        shuffle(rows)
        for features, label in rows:
            model.learn_one(features, label)
    return model


@cache
def reference() -> dict[str, tuple[NumericBins, list[int]]]:
    rows = [features for features, _ in segments()[:FIRST]]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    rules = {name: numeric_bins(values) for name, values in columns.items()}
    return {name: (rule, rule.count(columns[name]).tolist()) for name, rule in rules.items()}


@cache
def played(fault: range, seed: int) -> list[Row]:
    """The rows as the production app saw them."""
    rows, model = segments(), champion(seed)
    found = []
    for number in range(FIRST, LAST + 1):
        features, label = rows[FIRST + (number - FIRST) % (len(rows) - FIRST)]
        seen = rotated(features) if number in fault else features
        found.append(Row(number, seen, label, str(model.predict_one(seen))))
    return found


def rotated(features: Features) -> Features:
    moved = zip(ROTATED, ROTATED[1:] + ROTATED[:1], strict=True)
    return {**features, **{name: features[source] for name, source in moved}}


def journal(stream: Stream, seed: int = 0) -> Iterator[Entry]:
    """The journal's records in order, offsets from 0."""
    for offset, (time, record) in enumerate(_records(stream, played(stream.fault, seed))):
        yield Entry(offset, time, JOURNAL_RECORD.validate_python(record))


def _records(stream: Stream, rows: list[Row]) -> Iterator[tuple[int, dict[str, object]]]:
    yield from controls(stream)
    panes: dict[tuple[int, int], list[Row]] = defaultdict(list)  # by input partition and pane
    told = stream.time(FIRST)
    end = stream.time(LAST + LATE) + 4 * PANE_MS
    for number in range(FIRST, (end - told) // ROW_MS + FIRST):
        now = stream.time(number)
        yield from ((now, record) for record in deployments(stream, number))
        if now >= told + PANE_MS:
            told = now
            yield from ((now, record) for record in counts(panes))
            yield now, {"kind": "mark", "times": dict.fromkeys(range(PARTITIONS), now - 1)}
        if number <= LAST:
            pane = now - now % PANE_MS
            panes[partition(number), pane].append(rows[number - FIRST])
        if FIRST <= number - LATE <= LAST:
            yield now + 5, joined(stream, rows[number - LATE - FIRST], now + 5)


def partition(row: int) -> int:
    return partition_of(f"segments-{row}", PARTITIONS)


def controls(stream: Stream) -> Iterator[tuple[int, dict[str, object]]]:
    features = {
        name: {"kind": "numeric", "edges": list(rule.edges), "reference": counts}
        for name, (rule, counts) in reference().items()
    }
    spec = {
        "model": "segments",
        "task": "multiclass",
        "features": [{"name": name, "kind": "numeric"} for name in features],
    }
    bodies = {
        "spec": {"spec_hash": SPEC_HASH, "spec": spec},
        "bins": {"bins_id": BINS_ID, "effective_from": 0, "features": features, "n": FIRST},
    }
    for action, body in bodies.items():
        yield stream.time(FIRST), {
            "kind": "control", "model": "segments", "seq": 1, "action": action, "body": body,
        }  # fmt: skip


def deployments(stream: Stream, number: int) -> Iterator[dict[str, object]]:
    for seq, (row, lineage) in enumerate(stream.takeovers, start=2):
        if row == number:
            body = {"deployment_seq": seq, "version_id": f"{lineage}-1", "lineage": lineage}
            yield {
                "kind": "control", "model": "segments", "seq": seq, "action": "deployed",
                "body": body,
            }  # fmt: skip


def counts(panes: dict[tuple[int, int], list[Row]]) -> Iterator[dict[str, object]]:
    """Cumulative counts of the newest two panes; a partition's rows make one segment."""
    newest = sorted({pane for _, pane in panes})[-2:]
    for (number, pane), rows in panes.items():
        if pane in newest:
            vectors = {
                name: rule.count([row.features[name] for row in rows]).tolist()
                for name, (rule, _) in reference().items()
            }
            yield {
                "kind": "counts", "model": "segments", "model_version": "champion", "pane": pane,
                "seconds": PANE_MS // 1_000, "partition": number, "segment": 0,
                "bins_id": BINS_ID, "n": len(rows), "skewed": 0, "counts": vectors,
            }  # fmt: skip


def joined(stream: Stream, row: Row, label_ts: int) -> dict[str, object]:
    predicted = stream.time(row.number)
    return {
        "kind": "joined", "model": "segments", "prediction_id": f"segments-{row.number}",
        "model_version": "champion", "predicted_at": predicted, "prediction_ts": predicted,
        "prediction_tp": (partition(row.number), row.number), "label_ts": label_ts,
        "label_tp": (partition(row.number), row.number), "features": row.features,
        "prediction": row.prediction, "label": row.label,
    }  # fmt: skip
