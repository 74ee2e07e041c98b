"""What must the joiner have written? Computed offline from predictions, labels and registry."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from tests.verifier.bins import BinSet, BinsHistory
from tests.verifier.envelope import Gate, Json, Refused, exact_features
from tests.verifier.joining import (
    Correction,
    LabelHalf,
    Outcome,
    Position,
    PredictionHalf,
    Reason,
    Rules,
    resolve,
)
from tests.verifier.reading import Logs, Record, topic_name
from tests.verifier.times import millis, rfc3339

MAX_AHEAD_MS = 5 * 60_000

Key = tuple[str, str]  # model, prediction id
DeadLetterAt = tuple[str, int, int]  # topic, partition, offset
Source = tuple[Reason, int, int]  # why alone, partition, offset


class CountsAt(NamedTuple):
    """The identity of a `counts` record; `pane` in milliseconds, `bins_id` "" for none."""

    model: str
    version: str
    partition: int
    segment: int
    pane: int
    bins_id: str


@dataclass(slots=True)
class Tally:
    """What was counted in one pane of one segment."""

    n: int = 0
    skewed: int = 0
    counts: dict[str, list[int]] = field(default_factory=dict)
    prediction_counts: list[int] | None = None


class Dead(NamedTuple):
    """A refused record, and every reason that is a fair answer."""

    reasons: frozenset[str]
    record: Record


class Alone(NamedTuple):
    """A half without partner; `due` once it must have been given up."""

    model: str
    prediction_id: str
    half: PredictionHalf | LabelHalf
    due: bool


@dataclass(slots=True)
class Ambiguous:
    """Keys so near a limit in time that the logs alone do not decide."""

    keys: set[Key] = field(default_factory=set)
    labels: set[Position] = field(default_factory=set)
    sources: set[Source] = field(default_factory=set)
    counts: dict[CountsAt, int] = field(default_factory=lambda: defaultdict(int))


@dataclass(slots=True)
class Expected:
    """All outputs of the joiner by identity, and figures to print."""

    rules: Rules
    joined: dict[Position, tuple[PredictionHalf, LabelHalf]] = field(default_factory=dict)
    corrections: dict[Position, Correction] = field(default_factory=dict)
    alone: dict[Source, Alone] = field(default_factory=dict)
    dead_letters: dict[DeadLetterAt, Dead] = field(default_factory=dict)
    counts: dict[CountsAt, Tally] = field(default_factory=dict)
    ambiguous: Ambiguous = field(default_factory=Ambiguous)
    counted_at: dict[tuple[str, int], list[int]] = field(default_factory=dict)
    figures: dict[str, int] = field(default_factory=lambda: defaultdict(int))


def recompute(logs: Logs, rules: Rules, *, clock: int | None = None) -> Expected:
    """The outputs that the logs demand.

    `clock` (milliseconds): halves whose time is over by then must have been given up, even if the
    other topic went quiet. Without it only the topics' own times decide that.
    """
    expected = Expected(rules)
    predictions = _predictions(logs, expected)
    labels = _labels(logs, expected)
    times = {
        "no_label": _times(logs.labels, clock),
        "no_prediction": _times(logs.predictions, clock),
    }
    counting = _Counting(BinsHistory.read(logs.registry), expected)
    for key in predictions.keys() | labels.keys():
        outcome = resolve(predictions.get(key, []), labels.get(key, []), rules)
        for prediction in outcome.counted:
            counting.add(key[0], prediction)
        _record_outcome(expected, key, outcome, times)
        if outcome.on_edge:
            _set_aside(expected, key, predictions.get(key, []), labels.get(key, []), counting)
    expected.counted_at = {at: sorted(times) for at, times in counting.times.items()}
    return expected


def expected_joined(prediction: PredictionHalf, label: LabelHalf) -> Json:
    """The joined record: the prediction's own fields, ours over them."""
    document: Json = orjson.loads(prediction.raw)
    return document | {
        "kind": "joined",
        "prediction_ts": rfc3339(prediction.at),
        "prediction_tp": list(prediction.tp),
        "label_ts": rfc3339(label.at),
        "label_tp": list(label.tp),
        "label": label.value,
    }


def expected_correction(correction: Correction) -> Json:
    """The correction record; `predicted_at` in milliseconds, as its spelling is left open."""
    document: Json = orjson.loads(correction.prediction.raw)
    kept = ("model", "prediction_id", "model_version", "prediction")
    return {name: document[name] for name in kept} | {
        "kind": "correction",
        "predicted_at": millis(document["predicted_at"]),
        "label": correction.label.value,
        "previous_label": correction.previous,
        "label_ts": rfc3339(correction.label.at),
        "label_tp": list(correction.label.tp),
        "corrects": list(correction.corrects.tp),
    }


def _predictions(logs: Logs, expected: Expected) -> dict[Key, list[PredictionHalf]]:
    gate = Gate("predictions", logs.partitions)
    halves: dict[Key, list[PredictionHalf]] = {}
    for record in logs.predictions:
        if (document := _admitted(gate, record, logs.prefix, expected)) is not None:
            half = PredictionHalf(
                (record.partition, record.offset), record.timestamp, record.value or b""
            )
            halves.setdefault((document["model"], document["prediction_id"]), []).append(half)
    return halves


def _labels(logs: Logs, expected: Expected) -> dict[Key, list[LabelHalf]]:
    gate = Gate("labels", logs.partitions)
    halves: dict[Key, list[LabelHalf]] = {}
    for record in logs.labels:
        if (document := _admitted(gate, record, logs.prefix, expected)) is not None:
            half = LabelHalf((record.partition, record.offset), record.timestamp, document["label"])
            halves.setdefault((document["model"], document["prediction_id"]), []).append(half)
    return halves


def _admitted(gate: Gate, record: Record, prefix: str, expected: Expected) -> Json | None:
    expected.figures[gate.topic] += 1
    document = gate.admit(record.value, record.partition)
    if isinstance(document, Refused):
        at = (topic_name(prefix, gate.topic), record.partition, record.offset)
        expected.dead_letters[at] = Dead(document.reasons, record)
        return None
    return document


def _times(records: list[Record], clock: int | None) -> dict[int, int]:
    """How far the time of each partition is; a partition without records has only the clock."""
    times: dict[int, int] = defaultdict(lambda: clock or 0)
    for record in records:
        times[record.partition] = max(times[record.partition], record.timestamp)
    return times


def _record_outcome(
    expected: Expected, key: Key, outcome: Outcome, times: dict[str, dict[int, int]]
) -> None:
    expected.joined |= {label.tp: (prediction, label) for prediction, label in outcome.joined}
    expected.corrections |= {entry.label.tp: entry for entry in outcome.corrections}
    limit = expected.rules.horizon_ms + expected.rules.grace_ms
    for reason, half in outcome.alone:
        due = times[reason][half.tp[0]] > half.at + limit
        expected.alone[(reason, *half.tp)] = Alone(*key, half, due)
    expected.figures["repeats"] += outcome.repeats
    expected.figures["conflicting repeats"] += outcome.conflicts
    expected.figures["label repeats"] += outcome.label_repeats


def _set_aside(
    expected: Expected,
    key: Key,
    predictions: list[PredictionHalf],
    labels: list[LabelHalf],
    counting: "_Counting",
) -> None:
    ambiguous = expected.ambiguous
    ambiguous.keys.add(key)
    ambiguous.labels |= {label.tp for label in labels}
    ambiguous.sources |= {("no_label", *prediction.tp) for prediction in predictions}
    ambiguous.sources |= {("no_prediction", *label.tp) for label in labels}
    for prediction in predictions:
        place = counting.place(key[0], prediction, exact_features(prediction.raw))
        ambiguous.counts[place.at] += 1


class _Place(NamedTuple):
    at: CountsAt
    skewed: bool
    bins: BinSet | None


class _Counting:
    """Counts first predictions into panes, with the bins in force at their append time."""

    def __init__(self, history: BinsHistory, expected: Expected) -> None:
        self.history = history
        self.rules = expected.rules
        self.tallies = expected.counts
        self.times: dict[tuple[str, int], list[int]] = defaultdict(list)

    def add(self, model: str, prediction: PredictionHalf) -> None:
        document = exact_features(prediction.raw)
        place = self.place(model, prediction, document)
        tally = self.tallies.get(place.at)
        if tally is None:
            tally = self.tallies[place.at] = _empty(place.bins)
        tally.n += 1
        tally.skewed += place.skewed
        if place.bins is not None:
            _count(tally, place.bins, document)
        self.times[model, prediction.tp[0]].append(prediction.at)

    def place(self, model: str, prediction: PredictionHalf, document: Json) -> _Place:
        event_time = millis(document["predicted_at"])
        ahead = event_time > prediction.at + MAX_AHEAD_MS
        behind = event_time < prediction.at - self.rules.horizon_ms
        if ahead:
            event_time = prediction.at
        pane = event_time // self.rules.pane_ms * self.rules.pane_ms
        bins = self.history.in_force(model, prediction.at)
        partition, offset = prediction.tp
        at = CountsAt(
            model,
            document["model_version"],
            partition,
            offset // 1000,
            pane,
            "" if bins is None else bins.bins_id,
        )
        return _Place(at, ahead or behind, bins)


def _empty(bins: BinSet | None) -> Tally:
    if bins is None:
        return Tally()
    tally = Tally(counts={name: [0] * entry.size for name, entry in bins.features.items()})
    if bins.prediction is not None:
        tally.prediction_counts = [0] * bins.prediction.size
    return tally


def _count(tally: Tally, bins: BinSet, document: Json) -> None:
    features = document["features"]
    nonfinite: Any = document.get("nonfinite") or ()
    for name, entry in bins.features.items():
        index = entry.invalid if name in nonfinite else entry.index(features.get(name))
        tally.counts[name][index] += 1
    if bins.prediction is not None and tally.prediction_counts is not None:
        tally.prediction_counts[bins.prediction.index(document["prediction"])] += 1
