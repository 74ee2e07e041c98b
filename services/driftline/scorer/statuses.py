"""Tell everybody what this scorer serves: on every change and every five seconds."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from driftline.runtime.ports import Clock
from driftline.scorer.recording import NotRecordedError, Recorder
from driftline_schemas.codec import encode
from driftline_schemas.registry import ScorerStatus

EVERY_SECONDS: Final = 5.0


@dataclass(slots=True)
class Statuses:
    """The status of one scorer. `seq` begins at the clock's milliseconds, so that it also rises
    from one process to the next."""

    scorer_id: str
    topic: str
    recorder: Recorder
    clock: Clock
    versions: Callable[[], Mapping[str, str]]
    seqs: Callable[[], Mapping[str, int]]
    _seq: int = 0
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def changed(self) -> None:
        """What serves has changed: say so now."""
        self._changed.set()

    async def run(self) -> None:
        """For ever. A status that the broker did not take is not said again: the next is newer."""
        while True:
            self._changed.clear()
            await self._say(self.versions(), self.seqs())
            with suppress(TimeoutError):
                async with asyncio.timeout(EVERY_SECONDS):
                    await self._changed.wait()

    async def sign_off(self) -> None:
        """The last word: nobody is served any more."""
        await self._say({}, {}, signed_off=True)

    async def _say(
        self,
        versions: Mapping[str, str],
        seqs: Mapping[str, int],
        *,
        signed_off: bool | None = None,
    ) -> None:
        now = self.clock.now()
        self._seq = max(self._seq + 1, now)
        status = ScorerStatus(
            scorer_id=self.scorer_id,
            seq=self._seq,
            versions=dict(versions),
            seqs=dict(seqs),
            at=now,
            signed_off=signed_off,
        )
        with suppress(NotRecordedError):
            await self.recorder.acknowledged(self.topic, self.scorer_id, encode(status))
