"""Has the error of what is served risen? River's ADWIN on single errors, upward changes only.

Bifet and Gavalda, "Learning from time-changing data with adaptive windowing" (SDM 2007).
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from river.__version__ import __version__ as river_version
from river.drift import ADWIN

DELTA: Final = 0.002
# River's defaults, by name: other ones would make another detector of a stored state.
PARAMETERS: Final = {
    "delta": DELTA,
    "clock": 32,
    "max_buckets": 5,
    "min_window_length": 5,
    "grace_period": 10,
}


def bounded(error: float) -> float:
    """The error within [0, 1]; one that is not a number counts as wholly wrong."""
    if 0.0 <= error <= 1.0:
        return error
    return 0.0 if error < 0.0 else 1.0


@dataclass(frozen=True, slots=True)
class Rise:
    """The mean error is `since` over the `n` errors that the window keeps, and was `before` over
    those that it let go of for that."""

    before: float
    since: float
    n: int


class ErrorDetector:
    """ADWIN (delta .002) with River's own semantics.

    River throws its window away at the update after a detection (of either direction) and starts
    a new one with that value, so evidence is never counted twice. Nothing else resets it: no
    deployment, no incident.
    """

    def __init__(self) -> None:
        self._adwin = ADWIN(**PARAMETERS)  # type: ignore[no-untyped-call]  # River's is bare

    def update(self, error: float) -> Rise | None:
        """Take in one error; a rise if it completes the evidence that the mean has risen."""
        adwin, error = self._adwin, bounded(error)
        total, width = adwin.total, adwin.width
        adwin.update(error)  # type: ignore[no-untyped-call]  # River's is bare
        if not adwin.drift_detected or adwin.estimation <= total / width:
            return None
        gone, n = total + error - adwin.total, width + 1 - adwin.width
        return Rise(bounded(gone / n), float(adwin.estimation), int(adwin.width))

    def snapshot(self) -> dict[str, Any]:
        """The state as JSON types."""
        state = self._adwin._helper.__getstate__()  # noqa: SLF001 - else only pickle
        return {
            "class": "river.drift.ADWIN",
            "river": river_version,
            "parameters": dict(PARAMETERS),
            "detected": self._adwin.drift_detected,
            "state": b64encode(state).decode(),
            "sha256": sha256(state).hexdigest(),
        }

    @classmethod
    def restore(cls, snapshot: Mapping[str, Any]) -> ErrorDetector:
        """The state that `snapshot` gave. Raises ValueError for any that is not surely its own.

        The bytes hold numbers only and run nothing, but the native reader panics on a torn
        state, and reads one of other parameters without a word.
        """
        made_by = (snapshot["class"], snapshot["river"], snapshot["parameters"])
        state = b64decode(snapshot["state"], validate=True)
        if made_by != ("river.drift.ADWIN", river_version, PARAMETERS):
            raise ValueError(f"the state is of another detector: {made_by}")
        if sha256(state).hexdigest() != snapshot["sha256"]:
            raise ValueError("the state is damaged")
        detector = cls()
        detector._load(state, snapshot["detected"])
        return detector

    def _load(self, state: bytes, detected: bool) -> None:
        helper = self._adwin._helper  # noqa: SLF001 - River offers no other way but pickle
        helper.__setstate__(state)
        if helper.__getstate__() != state:
            raise ValueError("the state does not read back as itself")
        self._adwin._drift_detected = detected  # noqa: SLF001 - as above
