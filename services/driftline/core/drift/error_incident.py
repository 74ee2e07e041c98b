"""When does the error of a model make an incident, and when is it over?

One pure function of the journal's joined records in their order; whoever folds it over the same
records (monitor and learner do) gets the same incidents.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from driftline.core.drift.error_detector import ErrorDetector, Rise, bounded


@dataclass(frozen=True, slots=True)
class ErrorPolicy:
    """How an incident ends: accuracy over `recovery` labels of predictions made after it opened is
    at least that of up to `baseline` labels before, less `margin`."""

    baseline: int = 1_000
    recovery: int = 200
    margin: float = 0.05


@dataclass(frozen=True, slots=True)
class Opened:
    """The error has risen: accuracy is `value` over the `n` labels since the change, as far as the
    detector can tell, and was `before` over those that it compares them with. `reference` is that
    over the last up to 1,000 labels before this one, some of them since the change: what it must
    come back to."""

    value: float
    before: float
    reference: float
    n: int


@dataclass(frozen=True, slots=True)
class Resolved:
    """The error is back: `value` is the accuracy over the last `n` labels of predictions made
    after the opening; `reference` that before it, which value reaches but for the margin."""

    value: float
    reference: float
    n: int


@dataclass(frozen=True, slots=True)
class _Open:
    """What an open incident is measured by: `since` is the label_ts (ms) that opened it."""

    since: int
    reference: float


@dataclass(slots=True)
class ErrorIncident:
    """The error incident of one model, open or not."""

    policy: ErrorPolicy = ErrorPolicy()
    _detector: ErrorDetector = field(default_factory=ErrorDetector)
    _before: deque[float] = field(default_factory=deque)  # errors of the last labels
    _after: deque[float] = field(default_factory=deque)  # of predictions made since the opening
    _open: _Open | None = None

    def __post_init__(self) -> None:
        self._before = deque(self._before, self.policy.baseline)
        self._after = deque(self._after, self.policy.recovery)

    @property
    def is_open(self) -> bool:
        return self._open is not None

    def step(self, error: float, prediction_ts: int, label_ts: int) -> Opened | Resolved | None:
        """Take in one label in journal order.

        `error` lies in [0, 1] (0 right, 1 wrong); times are append times in ms. Classes: accuracy
        is 1 - mean error; regression has the same reading of its scaled error.
        """
        error = bounded(error)
        rise = self._detector.update(error)
        if self._open is not None:
            outcome: Opened | Resolved | None = self._recover(self._open, error, prediction_ts)
        else:
            outcome = None if rise is None else self._begin(rise, label_ts)
        self._before.append(error)
        return outcome

    def _begin(self, rise: Rise, label_ts: int) -> Opened:
        # A detection takes dozens of errors, so there are some before it.
        reference = _accuracy(self._before)
        self._open = _Open(label_ts, reference)
        self._after.clear()
        return Opened(1 - rise.since, 1 - rise.before, reference, rise.n)

    def _recover(self, opening: _Open, error: float, prediction_ts: int) -> Resolved | None:
        if prediction_ts <= opening.since:
            return None  # of the time before: a late label must not close what it opened
        self._after.append(error)
        value = _accuracy(self._after)
        if len(self._after) < self.policy.recovery or not self._is_back(value, opening):
            return None
        self._open = None
        return Resolved(value, opening.reference, len(self._after))

    def _is_back(self, value: float, opening: _Open) -> bool:
        # Rounded, because .9 - .05 is above .85 in floats.
        return round(value - opening.reference + self.policy.margin, 9) >= 0

    def snapshot(self) -> dict[str, Any]:
        """The state as JSON types."""
        return {
            "detector": self._detector.snapshot(),
            "before": _packed(self._before),
            "after": _packed(self._after),
            "open": None if self._open is None else [self._open.since, self._open.reference],
        }

    @classmethod
    def restore(
        cls, snapshot: Mapping[str, Any], policy: ErrorPolicy = ErrorPolicy()
    ) -> ErrorIncident:
        """The state that `snapshot` gave. Raises ValueError if the detector's is damaged."""
        opening = snapshot["open"]
        return cls(
            policy,
            ErrorDetector.restore(snapshot["detector"]),
            deque(map(float, snapshot["before"])),
            deque(map(float, snapshot["after"])),
            None if opening is None else _Open(*opening),
        )


def _accuracy(errors: deque[float]) -> float:
    return 1 - sum(errors) / len(errors)


def _packed(errors: Iterable[float]) -> str | list[float]:
    """One character per error where all are right or wrong, else the numbers."""
    kept = list(errors)
    return "".join(str(int(e)) for e in kept) if {*kept} <= {0.0, 1.0} else kept
