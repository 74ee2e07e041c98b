"""Is this process still of use? One that is not ends, and its orchestrator starts it again."""

from typing import Any, Final

from driftline.runtime.claims import ServiceFailureError
from driftline.runtime.keeper import Keeper
from driftline.runtime.ports import Clock

STUCK_MS: Final = 120_000  # records wait, and none was applied
FROZEN_MS: Final = 30_000  # checks come twice a second
UNCOMMITTED_MS: Final = 3_600_000  # readers remember identities for two hours: stop well before


class Watchdog:
    """Watches the partitions of one process."""

    def __init__(self, keeper: Keeper[Any], clock: Clock) -> None:
        self._keeper = keeper
        self._clock = clock
        self._checked_at = self._idle_at = clock.now()  # ms; when there was last nothing to apply

    def check(self) -> None:
        """ServiceFailureError when records wait for nothing, or nothing is committed any more."""
        keeper, now = self._keeper, self._clock.now()
        has_work = any(keeper.lag(tp) for tp in keeper.owned)
        was_frozen = now - self._checked_at > FROZEN_MS  # SIGSTOP, or a laptop that slept
        if not has_work or keeper.is_held_up or was_frozen:
            self._idle_at = now
        self._checked_at = now
        if not keeper.owned:
            return
        if now - keeper.saved_at > UNCOMMITTED_MS:
            raise ServiceFailureError("no checkpoint for an hour: repeats could go unnoticed")
        if now - max(keeper.progress_at, self._idle_at) > STUCK_MS:
            raise ServiceFailureError("records wait and none was applied for two minutes")
