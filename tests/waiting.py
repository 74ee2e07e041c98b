"""Wait for what another task, thread or process does, for as long as a slow machine may need."""

import asyncio
from collections.abc import Callable
from time import monotonic, sleep
from typing import Final, TypeVar

PATIENCE_SECONDS: Final = 180.0  # only a failure waits so long

T = TypeVar("T")


def until(
    found: Callable[[], T | None], otherwise: str | Callable[[], str], pause: float = 0.1
) -> T:
    """What `found` returns as soon as that is true; else fail with what there is to say."""
    give_up = monotonic() + PATIENCE_SECONDS
    while True:
        if result := found():
            return result
        assert monotonic() < give_up, otherwise if isinstance(otherwise, str) else otherwise()
        sleep(pause)


async def eventually(holds: Callable[[], object]) -> None:
    """The same, while the event loop runs on."""
    give_up = monotonic() + PATIENCE_SECONDS
    while not holds():
        assert monotonic() < give_up
        await asyncio.sleep(0.001)


def leap(seconds: float) -> None:
    """As if so much time had passed for the timers of the running event loop."""
    loop = asyncio.get_running_loop()
    now = loop.time
    loop.time = lambda: now() + seconds  # type: ignore[method-assign]  # of this loop alone
