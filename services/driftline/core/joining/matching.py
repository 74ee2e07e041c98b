"""The rules of the join, for one partition.

The first prediction and the first label of a key, by offset, join when their append times differ
by at most the horizon. Within the repeat window an equal label is a repeat, a different one a
correction. Outputs depend on the two logs only; on rebuild those below the committed offsets are
not written again.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, Protocol

from driftline.core.joining.envelope import LabelEvent, PredictionEvent, Said, Value
from driftline.core.joining.halves import Half, Halves
from driftline.core.joining.remainders import Remainder, Remainders
from driftline.core.joining.waiting_labels import Later, WaitingLabel, WaitingLabels

Seen = Literal["new", "repeat", "conflict"]
MIN_GRACE_MS, MAX_GRACE_MS = 1_000, 300_000


@dataclass(frozen=True, slots=True)
class Limits:
    """What the installation agreed on, in milliseconds."""

    horizon: int
    repeat_window: int

    @property
    def grace(self) -> int:
        """How long past the horizon a half still waits before it is reported."""
        return min(MAX_GRACE_MS, max(MIN_GRACE_MS, self.horizon // 100))


class Pairs(Protocol):
    """Where the matcher says what it found."""

    def joined(self, half: Half, label: WaitingLabel) -> None: ...
    def corrected(
        self, label: LabelEvent, later: Later, pair: Remainder, previous: Value
    ) -> None: ...
    def unmatched_prediction(self, half: Half) -> None: ...
    def unmatched_label(self, label: WaitingLabel) -> None: ...
    def joined_late(self) -> None: ...


class Bodies(Protocol):
    """How the matcher looks into a stored half."""

    def hash(self, raw: bytes) -> int: ...
    def said(self, raw: bytes) -> Said: ...


@dataclass(slots=True)
class Silence:
    """Below these offsets an output was written before: a rebuild does not repeat it."""

    predictions: int = 0
    labels: int = 0

    def covers(self, prediction_offset: int, label_offset: int) -> bool:
        """True when both inputs of an output were committed."""
        return prediction_offset < self.predictions and label_offset < self.labels


@dataclass(slots=True)
class Matcher:
    """The state of the join and its rules."""

    limits: Limits
    pairs: Pairs
    bodies: Bodies
    silence: Silence = field(default_factory=Silence)
    halves: Halves = field(default_factory=Halves)
    labels: WaitingLabels = field(default_factory=WaitingLabels)
    remainders: Remainders = field(default_factory=Remainders)

    def prediction(self, key: int, half: Half, event: PredictionEvent) -> Seen:
        """A prediction arrived: new, a repeat, or another body under a known id."""
        waiting_since = self.halves.time_of(key)
        if waiting_since is not None and half.time - waiting_since <= self.limits.horizon:
            known = self.halves.half_of(key)
            return "conflict" if known is not None and known.raw != half.raw else "repeat"
        pair = self.remainders.get(key)
        if pair and self._in_window(half.time, pair.label_time):
            return "repeat" if pair.body_hash == self.bodies.hash(half.raw) else "conflict"
        if waiting_since is not None:
            self._expire(key, silent=half.offset < self.silence.predictions)
        self.wait(key, half, event)
        return "new"

    def wait(self, key: int, half: Half, event: PredictionEvent) -> None:
        """Join a prediction with the label that waits for it, or let it wait."""
        said = Said(event.predicted_at, event.model_version, event.prediction)
        if label := self.labels.take(key, half.time, self.limits.horizon):
            self._join(key, half, self._with_later(key, label), said)
        else:
            self.halves.put(key, Half(half.offset, half.time, half.raw, said))

    def label(self, key: int, offset: int, time: int, event: LabelEvent) -> Seen:
        """A label arrived. "new" covers a first label and a correction."""
        if (pair := self.remainders.get(key)) and self._in_window(time, pair.label_time):
            return self._again(key, pair, event, Later(offset, time, event.label))
        waiting = self.labels.newest(key)
        if waiting and time - waiting.time <= min(self.limits.repeat_window, self.limits.horizon):
            if same_value(waiting.current, event.label):
                return "repeat"
            self.labels.correct(key, Later(offset, time, event.label))
            return "new"
        label = WaitingLabel(event.prediction_id, event.model, offset, time, event.label)
        if half := self._partner(key, time):
            self._join(key, half, label, half.said or self.bodies.said(half.raw))
        else:
            self.labels.put(key, label)
        return "new"

    def _with_later(self, key: int, label: WaitingLabel) -> WaitingLabel:
        """A label that is joined, with those that waited on their own within its repeat window.

        One past the horizon of the first may have had a partner of its own, had the first none.
        """
        current, corrections = label.current, list(label.corrections)
        until = label.time + self.limits.repeat_window
        for later in self.labels.take_later(key, label.offset, until):
            if not same_value(current, later.label):
                corrections.append(later)
                current = later.label
        return label._replace(corrections=tuple(corrections))

    def _partner(self, key: int, time: int) -> Half | None:
        """Take the half that a label of `time` (ms) joins, if one waits near enough.

        One that was given up comes first: it is the older of the two.
        """
        late = self.halves.expired.get(key)
        if late is not None and abs(time - late.time) <= self.limits.horizon:
            self.pairs.joined_late()
            return self.halves.expired.pop(key)
        since = self.halves.time_of(key)
        if since is not None and abs(time - since) <= self.limits.horizon:
            return self.halves.take(key)
        return None

    def _in_window(self, time: int, first: int) -> bool:
        return time - first <= self.limits.repeat_window

    def _again(self, key: int, pair: Remainder, event: LabelEvent, later: Later) -> Seen:
        if same_value(pair.label, later.label):
            return "repeat"
        self._correct(event, later, pair, pair.label)
        self.remainders.put(key, pair._replace(label=later.label))
        return "new"

    def _join(self, key: int, half: Half, label: WaitingLabel, said: Said) -> None:
        if not self.silence.covers(half.offset, label.offset):
            self.pairs.joined(half, label)
        pair = Remainder(
            half.offset, label.offset, label.time, said.predicted_at,
            self.bodies.hash(half.raw), said.model_version, said.prediction, label.current,
        )  # fmt: skip
        previous = label.label
        for later in label.corrections:
            corrected = LabelEvent(label.prediction_id, label.model, later.label)
            self._correct(corrected, later, pair, previous)
            previous = later.label
        self.remainders.put(key, pair)

    def _correct(self, event: LabelEvent, later: Later, pair: Remainder, previous: Value) -> None:
        if not self.silence.covers(pair.prediction_offset, later.offset):
            self.pairs.corrected(event, later, pair, previous)

    # -- expiry ---------------------------------------------------------------------------------

    def expire_labels(self, prediction_time: int, *, silent: bool) -> None:
        """Report labels for which no prediction came in time; `prediction_time` in ms."""
        before = prediction_time - self.limits.horizon - self.limits.grace
        for key, label in list(self.labels.due(before)):
            if (key, label.offset) not in self.labels.reported:
                self.labels.reported.add((key, label.offset))
                if not silent:
                    self.pairs.unmatched_label(label)
            if label.time < before - self.limits.grace:
                self.labels.remove(key, label)

    def due_predictions(self, label_time: int, limit: int) -> list[int]:
        """Keys of up to `limit` halves for which no label came in time; fetch them, then expire."""
        return self.halves.due(label_time - self.limits.horizon - self.limits.grace, limit)

    def expire_predictions(self, keys: Iterable[int], label_time: int, *, silent: bool) -> None:
        """Report those of `keys` that still wait and are due."""
        before = label_time - self.limits.horizon - self.limits.grace
        for key in keys:
            time = self.halves.time_of(key)
            if time is not None and time < before:
                self._expire(key, silent=silent)
        self.halves.forget_expired(before - self.limits.grace)

    def _expire(self, key: int, *, silent: bool) -> None:
        half = self.halves.expire(key)
        if half is not None and not silent:
            self.pairs.unmatched_prediction(half)


def same_value(one: Value, other: Value) -> bool:
    """Equal labels: a class "1" is not the number 1."""
    return isinstance(one, str) == isinstance(other, str) and one == other
