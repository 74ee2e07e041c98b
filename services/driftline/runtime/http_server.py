"""What roles that answer HTTP share: process, socket, and two wrappers of an ASGI application."""

import asyncio
import logging
import signal
import socket
from collections.abc import (
    Awaitable,
    Callable,
    Coroutine,
    Iterable,
    Iterator,
    MutableMapping,
    Sequence,
)
from contextlib import contextmanager
from typing import Any, Final

import structlog
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from driftline.runtime import health, logs, metrics
from driftline.runtime.errors import DriftlineError
from driftline.runtime.health import Health
from driftline.runtime.http_settings import HttpSettings
from driftline.runtime.process_lock import only_one
from driftline.runtime.settings import Settings

log = structlog.get_logger(__name__)

HEAD_SECONDS: Final = 10.0

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


def run(
    role: str, settings: Settings, serve: Callable[[Settings], Coroutine[Any, Any, None]]
) -> int:
    """The process's main function; its exit code."""
    logs.configure(role, settings.log_level.upper())
    logging.getLogger("uvicorn.access").disabled = True  # paths may hold what people typed
    try:
        with only_one(settings, role):
            asyncio.run(serve(settings))
    except DriftlineError as error:
        log.error("stopped", reason=str(error))
        return 1
    return 0


class Connection(H11Protocol):
    """Closed unless the head of a request is there in time, from its opening or its first byte: a
    silent connection would cost a socket for as long as its client likes."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is None or self.cycle.response_complete:
            self._await_head()
        else:
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(HEAD_SECONDS, self.timeout_keep_alive_handler)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class Server(uvicorn.Server):
    """Answers from a socket until it is told to stop. How many requests run at the same time is
    the application's to bound: a bound on connections would let those that ask nothing keep out
    those that ask."""

    def __init__(self, app: FastAPI, *, idle_seconds: int, drain_seconds: int) -> None:
        """A connection is kept `idle_seconds` between requests; requests that run when it stops
        have `drain_seconds`."""
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            http=Connection,
            timeout_keep_alive=idle_seconds,
            timeout_graceful_shutdown=drain_seconds,
            lifespan="off",
            ws="none",
        )
        super().__init__(config)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are ours: uvicorn would raise them once more and spoil the exit code."""
        yield

    def stop(self, _: object = None) -> None:
        self.should_exit = True


async def answer(
    server: Server,
    address: HttpSettings,
    settings: Settings,
    state: Health,
    work: Callable[[], Coroutine[Any, Any, None]],
    at_end: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Answer while `work` goes on, until a signal comes; then stop the work and await `at_end`.

    Raises what ended the work by itself, and DriftlineError where nobody can listen.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, server.stop)
    listening = listen(address.host, address.port)
    runner = await health.serve(
        state,
        lambda: metrics.READY.set(0 if state.not_ready else 1),
        settings.metrics_host,
        settings.metrics_port or 0,
    )
    port = listening.getsockname()[1]
    log.info("starting", host=address.host, port=port, health_port=state.port)
    working = asyncio.create_task(work())
    working.add_done_callback(server.stop)
    await server.serve(sockets=[listening])
    working.cancel()
    await asyncio.wait({working})
    try:
        if at_end is not None:
            await at_end()
    finally:
        await runner.cleanup()
    if not working.cancelled() and (error := working.exception()) is not None:
        raise cause_of(error)
    log.info("stopped")


def cause_of(error: BaseException) -> BaseException:
    """What tasks raised, out of the groups that it came in: what a person can mend, if anything."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    return cause_of((error.subgroup(DriftlineError) or error).exceptions[0])


def listen(host: str, port: int, backlog: int = 512) -> socket.socket:
    """A listening socket. Raises DriftlineError: one sentence with the address."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=backlog)
    except OSError as error:
        raise DriftlineError(
            f"Nobody can listen on {host}:{port}: {error.strerror or error}."
        ) from None


def once(body: bytes, receive: Receive) -> Receive:
    """The body that was read, then whatever comes (the end of the connection)."""
    messages: Iterable[Message] = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def given() -> Message:
        for message in messages:
            return message
        return await receive()

    return given


def with_headers(send: Send, headers: Sequence[tuple[bytes, bytes]]) -> Send:
    """Every answer carries these headers, too."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *headers]}
        await send(message)

    return sending
