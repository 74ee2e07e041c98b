"""What the joiner writes: joined pairs, corrections, counts and unmatched halves."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import orjson

from driftline.core.joining.counting import PaneKey, Tally
from driftline.core.joining.envelope import (
    LabelEvent,
    Said,
    Value,
    read_prediction,
    read_said,
)
from driftline.core.joining.halves import Half
from driftline.core.joining.remainders import Remainder
from driftline.core.joining.waiting_labels import Later, WaitingLabel
from driftline.runtime import metrics
from driftline.runtime.ports import Outputs
from driftline_schemas.codec import encode
from driftline_schemas.fields import format_time
from driftline_schemas.journal import Correction, Counts, Unmatched
from driftline_schemas.topics import JOURNAL, UNMATCHED

JOINED: Final = (
    b'%b,"kind":"joined","prediction_ts":"%b","prediction_tp":[%d,%d]'
    b',"label_ts":"%b","label_tp":[%d,%d],"label":%b}'
)


def splice(prediction: bytes, partition: int, half: Half, label: WaitingLabel) -> bytes:
    """A joined record: the prediction's own bytes with our fields appended.

    Ours come last: of equal keys a JSON reader takes the last, so an app's own `label` cannot win.
    """
    return JOINED % (
        prediction.rstrip()[:-1],
        _stamp(half.time),
        partition,
        half.offset,
        _stamp(label.time),
        partition,
        label.offset,
        orjson.dumps(label.label),
    )


@lru_cache(maxsize=4_096)  # the broker stamps whole batches with one append time
def _stamp(millis: int) -> bytes:
    return format_time(millis).encode()


@dataclass(slots=True)
class JournalWriter:
    """The matcher's and the counts' way out, for one partition."""

    outputs: Outputs
    prefix: str
    partition: int
    pane_seconds: int
    is_silent: Callable[[], bool]  # a rebuild has not come to the committed offsets yet

    def joined(self, half: Half, label: WaitingLabel) -> None:
        metrics.JOINED.inc()
        raw = splice(half.raw, self.partition, half, label)
        self.outputs.produce(JOURNAL.full_name(self.prefix), raw, key=label.model)

    def corrected(self, label: LabelEvent, later: Later, pair: Remainder, previous: Value) -> None:
        metrics.CORRECTIONS.inc()
        correction = Correction(
            model=label.model,
            prediction_id=label.prediction_id,
            model_version=pair.model_version,
            predicted_at=pair.predicted_at,
            prediction=pair.prediction,
            label=later.label,
            previous_label=previous,
            label_ts=later.time,
            label_tp=(self.partition, later.offset),
            corrects=(self.partition, pair.label_offset),
        )
        self.outputs.produce(JOURNAL.full_name(self.prefix), encode(correction), key=label.model)

    def unmatched_prediction(self, half: Half) -> None:
        event = read_prediction(half.raw)
        self._unmatched(
            Unmatched(
                model=event.model,
                prediction_id=event.prediction_id,
                reason="no_label",
                source_tp=(self.partition, half.offset),
                source_ts=half.time,
            )
        )

    def unmatched_label(self, label: WaitingLabel) -> None:
        self._unmatched(
            Unmatched(
                model=label.model,
                prediction_id=label.prediction_id,
                reason="no_prediction",
                source_tp=(self.partition, label.offset),
                source_ts=label.time,
            )
        )

    def _unmatched(self, unmatched: Unmatched) -> None:
        metrics.UNMATCHED.labels(unmatched.reason).inc()
        self.outputs.produce(
            UNMATCHED.full_name(self.prefix), encode(unmatched), key=unmatched.model
        )

    def joined_late(self) -> None:
        metrics.EXPIRED_EARLY.inc()

    def counts(self, key: PaneKey, segment: int, tally: Tally) -> None:
        if self.is_silent():
            return
        counts = Counts(
            model=key.model,
            model_version=key.model_version,
            pane=key.pane,
            seconds=self.pane_seconds,
            partition=self.partition,
            segment=segment,
            bins_id=key.bins_id,
            n=tally.n,
            skewed=tally.skewed,
            counts={name: vector.tolist() for name, vector in tally.counts.items()},
            prediction_counts=None if tally.prediction is None else tally.prediction.tolist(),
        )
        self.outputs.produce(JOURNAL.full_name(self.prefix), encode(counts), key=key.model)


class KnownBodies:
    """Looks into a stored half for the matcher."""

    def __init__(self, hash_of: Callable[[bytes], int]) -> None:
        self._hash = hash_of

    def hash(self, raw: bytes) -> int:
        return self._hash(raw)

    def said(self, raw: bytes) -> Said:
        return read_said(raw)
