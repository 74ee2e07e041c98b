"""Wait in the event loop for what blocks, without having to wait for it at the end.

`asyncio.to_thread` would: a store that does not answer would hold up SIGTERM.
"""

import asyncio
from collections.abc import Callable
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


async def in_thread(work: Callable[[], T], name: str) -> T:
    """What `work` returns or raises. Whoever is cancelled leaves the thread behind: it dies with
    the process."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()
    Thread(target=_run, args=(work, loop, done), name=name, daemon=True).start()
    return await done


def _run(work: Callable[[], T], loop: asyncio.AbstractEventLoop, done: "asyncio.Future[T]") -> None:
    try:
        result = work()
    except BaseException as error:  # noqa: BLE001 - the caller's, wherever it waits
        _tell(loop, done, error=error)
    else:
        _tell(loop, done, result)


def _tell(
    loop: asyncio.AbstractEventLoop,
    done: "asyncio.Future[T]",
    result: T | None = None,
    error: BaseException | None = None,
) -> None:
    def settle() -> None:
        if done.done():  # nobody waits any more
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]  # T may be None itself

    try:
        loop.call_soon_threadsafe(settle)
    except RuntimeError:  # the loop is closed: the process ends
        return
