"""Run the API as a process: it reads topics without a group, and writes commands only."""

import asyncio
import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

import structlog
import uvicorn
from fastapi import FastAPI
from pydantic import ValidationError

from driftline.api.application import application
from driftline.api.commands import KafkaCommands
from driftline.api.folds import Folds
from driftline.api.reading import Reading
from driftline.api.roles import Access
from driftline.api.settings import ApiSettings, check
from driftline.runtime import health, logs, metrics
from driftline.runtime.clock import SystemClock
from driftline.runtime.dependencies import await_dependencies
from driftline.runtime.errors import DriftlineError
from driftline.runtime.health import Health
from driftline.runtime.http_server import listen
from driftline.runtime.process_lock import only_one
from driftline.runtime.settings import Settings
from driftline_schemas.codec import first_fault

log = structlog.get_logger(__name__)

ROLE: Final = "api"
MOST_REQUESTS: Final = 200  # at the same time; more get 503
STOP_SECONDS: Final = 5
WATCH_SECONDS: Final = 0.1


def run(settings: Settings) -> int:
    """The process's main function; its exit code."""
    logs.configure(ROLE, settings.log_level.upper())
    logging.getLogger("uvicorn.access").disabled = True  # paths may hold what people typed
    try:
        api = load()
        check(api)
        with only_one(settings, ROLE):
            return asyncio.run(_serve(settings, api))
    except DriftlineError as error:
        log.error("stopped", reason=str(error))
        return 1


def load() -> ApiSettings:
    """From the environment; DriftlineError names the variable at fault."""
    try:
        return ApiSettings()
    except ValidationError as error:
        raise DriftlineError(f"DRIFTLINE_API_...: {first_fault(error)}") from None


class _Server(uvicorn.Server):
    """Signals are ours: uvicorn would raise them once more and spoil the exit code."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _serve(settings: Settings, api: ApiSettings) -> int:
    folds, state = Folds(), Health()
    commands = KafkaCommands(settings.brokers, settings.topic_prefix)
    app = application(folds, commands, SystemClock(), Access.of(api))
    server = _Server(_config(app))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, _stop, server)
    listening = listen(api.host, api.port)
    runner = await health.serve(
        state, lambda: _refresh(state), settings.metrics_host, settings.metrics_port or 0
    )
    port = listening.getsockname()[1]
    log.info("starting", host=api.host, port=port, health_port=state.port)
    reading = asyncio.create_task(_read(settings, folds, state))
    reading.add_done_callback(lambda _: _stop(server))
    await server.serve(sockets=[listening])
    await runner.cleanup()
    return await _ended(reading)


async def _ended(reading: "asyncio.Task[None]") -> int:
    """0 after a signal; what ended the reading is raised."""
    reading.cancel()
    with suppress(asyncio.CancelledError):
        await reading
    log.info("stopped")
    return 0


async def _read(settings: Settings, folds: Folds, state: Health) -> None:
    await await_dependencies(settings, False, state)
    reading = Reading(settings.brokers, settings.topic_prefix, folds)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(reading.run())
        tasks.create_task(_watch(folds, state))


async def _watch(folds: Folds, state: Health) -> None:
    """What the probes are told is what the requests are told."""
    while True:
        state.not_ready = folds.not_ready
        await asyncio.sleep(WATCH_SECONDS)


def _refresh(state: Health) -> None:
    metrics.READY.set(0 if state.not_ready else 1)


def _stop(server: uvicorn.Server) -> None:
    server.should_exit = True


def _config(app: FastAPI) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=MOST_REQUESTS,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=STOP_SECONDS,
        lifespan="off",
        ws="none",
    )
