"""What a checkpoint of the joiner holds: all that changed, and how a partition goes on from it."""

from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from pyroaring import BitMap64

from driftline.core.joining import counting
from driftline.core.joining.counting import SegmentCounts
from driftline.core.joining.matching import Matcher
from driftline.core.joining.waiting_labels import Later, WaitingLabel
from driftline.joiner.store import JoinDelta, JoinWhole

MOVED_PER_CHECKPOINT: Final = 1_000  # so that one call blocks Redis for less than 5 ms


@dataclass(frozen=True, slots=True)
class Overlay:
    """How much waits in memory before it moves to Redis."""

    age_ms: int = 60_000
    max_bytes: int = 16 * 1024 * 1024  # per partition


@dataclass(slots=True)
class Progress:
    """How far a partition was read.

    next: the next offset to apply, by topic. times: the running maximum of append times (ms).
    pending: predictions below `next` that waited in memory and must be read again, from `restart`.
    since: what stays of pairs whose first label is from before it (ms) is forgotten.
    """

    next: dict[str, int]
    times: dict[str, int]
    restart: int
    pending: BitMap64 = field(default_factory=BitMap64)
    since: int = 0


def cut(
    matcher: Matcher, counts: SegmentCounts, progress: Progress, predictions: str, labels: str,
    overlay: Overlay,
) -> JoinDelta:  # fmt: skip
    """Freeze what changed, and move what has waited long in memory."""
    moved = matcher.halves.move(
        before=progress.times[predictions] - overlay.age_ms,
        limit=MOVED_PER_CHECKPOINT,
        max_bytes=overlay.max_bytes,
    )
    deleted, matcher.halves.deleted = matcher.halves.deleted, []
    changed, matcher.labels.changed = matcher.labels.changed, set()
    remainders, matcher.remainders.added = matcher.remainders.added, {}
    waiting = matcher.labels.by_key
    return JoinDelta(
        rest=_rest(matcher, counts, progress, progress.next[predictions]),
        moved=moved,
        deleted=deleted,
        labels={key: _dump_labels(waiting[key]) if key in waiting else None for key in changed},
        remainders=remainders,
        remainders_until=progress.times[labels],
        remainders_since=progress.since,
    )


def restore(whole: JoinWhole, matcher: Matcher, counts: SegmentCounts, progress: Progress) -> None:
    """Take back what was stored, into an empty matcher and empty counts."""
    rest = whole.rest
    progress.restart = rest["restart"]
    progress.pending = BitMap64.deserialize(b64decode(rest["recent"]))
    progress.times.update(rest["times"])
    progress.since = rest["since"]
    counting.load(counts, rest["counts"])
    matcher.halves.stored.update(whole.stored)
    labels = {key: _load_labels(raw) for key, raw in whole.labels.items()}
    matcher.labels.by_key.update(sorted(labels.items(), key=lambda item: item[1][0].time))
    matcher.remainders.restore(whole.remainders, progress.since)


def _rest(
    matcher: Matcher, counts: SegmentCounts, progress: Progress, next_prediction: int
) -> dict[str, Any]:
    recent = BitMap64([half.offset for half in matcher.halves.recent.values()])
    return {
        "restart": recent.min() if recent else next_prediction,
        "recent": b64encode(recent.serialize()).decode(),
        "times": dict(progress.times),
        "since": progress.since,
        "counts": counting.dump(counts),
    }


def _dump_labels(waiting: Sequence[WaitingLabel]) -> bytes:
    return orjson.dumps([[*each[:5], [list(later) for later in each.corrections]]
                         for each in waiting])  # fmt: skip


def _load_labels(raw: bytes) -> list[WaitingLabel]:
    return [_waiting(each) for each in orjson.loads(raw)]


def _waiting(fields: Sequence[Any]) -> WaitingLabel:
    prediction_id, model, offset, time, label, corrections = fields
    later = tuple(Later(*each) for each in corrections)
    return WaitingLabel(prediction_id, model, offset, time, label, later)
