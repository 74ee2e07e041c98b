"""How is work in a thread waited for that must not be left half done?"""

import asyncio
from collections.abc import Awaitable
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Ended(NamedTuple, Generic[T]):
    """What came of it: `result`, or `error`. `cancelled` came while it went on, and is still to be
    raised."""

    result: T | None
    error: Exception | None
    cancelled: asyncio.CancelledError | None


async def ended(work: Awaitable[T]) -> Ended[T]:
    """Wait until it has ended. A thread cannot be stopped, so a cancellation does not end the
    waiting: whoever cancels would believe that nothing changes any more."""
    task, cancelled = asyncio.ensure_future(work), None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    try:
        return Ended(task.result(), None, cancelled)
    except Exception as error:  # noqa: BLE001 - the caller decides
        return Ended(None, error, cancelled)
