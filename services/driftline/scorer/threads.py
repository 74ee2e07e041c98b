"""Wait in the event loop for what blocks, without having to wait for it at the end.

`asyncio.to_thread` would: a store that does not answer would hold up SIGTERM.
"""

import asyncio
import ctypes
from collections.abc import Callable
from threading import Thread
from typing import Final, TypeVar

T = TypeVar("T")
STOP_SECONDS: Final = 5.0


class LateError(Exception):
    """The work took too long, and was stopped."""


class StuckError(Exception):
    """The work took too long, and cannot be stopped: it waits for something outside."""


class Stopped(BaseException):
    """Raised in the thread that must end; no Exception, which anything in between may catch."""


async def in_thread(work: Callable[[], T], name: str, within: float | None = None) -> T:
    """What `work` returns or raises; after `within` seconds LateError or StuckError. Whoever is
    cancelled leaves the thread behind: it dies with the process."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()
    thread = Thread(target=_run, args=(work, loop, done), name=name, daemon=True)
    thread.start()
    if within is None:
        return await done
    try:
        await asyncio.wait({done}, timeout=within)
        if not done.done():
            _stop(thread)
            await asyncio.wait({done}, timeout=STOP_SECONDS)
        if not done.done():
            raise StuckError
    finally:
        done.cancel()  # unless it has ended: nobody waits any more
    try:
        return await done
    except Stopped:
        raise LateError from None


def _stop(thread: Thread) -> None:
    """Python raises it between two of the thread's instructions, be it in a loop without end; not
    in a call of the operating system, of which it hears when that returns."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread.ident or 0), ctypes.py_object(Stopped)
    )


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
