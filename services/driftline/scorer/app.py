"""Run the scorer as a process: it reads topics without a group, and answers over HTTP."""

import asyncio
import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from time import thread_time
from typing import Final

import structlog
import uvicorn
from fastapi import FastAPI

from driftline.core.fact_chain import BrokenChainError
from driftline.runtime import health, logs, metrics
from driftline.runtime.clock import SystemClock
from driftline.runtime.dependencies import await_dependencies
from driftline.runtime.errors import DriftlineError
from driftline.runtime.health import Health
from driftline.runtime.http_server import listen
from driftline.runtime.models.artifacts import ArtifactStore
from driftline.runtime.models.loader import SafeCodec
from driftline.runtime.process_lock import only_one
from driftline.runtime.settings import Settings
from driftline.scorer.application import application
from driftline.scorer.loading import ArtifactLoader
from driftline.scorer.predicting import Predicting
from driftline.scorer.reading import Reading
from driftline.scorer.recording import ACK_SECONDS, KafkaRecorder
from driftline.scorer.sanity import SanityCheck
from driftline.scorer.settings import ScorerSettings, load
from driftline.scorer.statuses import Statuses
from driftline.scorer.swapping import Swapping
from driftline.scorer.threads import in_thread
from driftline_schemas.topics import PREDICTIONS, SCORER_STATUS

log = structlog.get_logger(__name__)

ROLE: Final = "scorer"
MOST_CONNECTIONS: Final = 2_000  # open ones; requests at the same time are bounded by the gate
DRAIN_SECONDS: Final = int(ACK_SECONDS) + 1  # for requests that run at SIGTERM
FLUSH_SECONDS: Final = 2.0  # for predictions that nobody waits for
READER_SECONDS: Final = 1.0
KEEP_ALIVE_SECONDS: Final = 75  # longer than clients keep a connection: they close it, not we
WATCH_SECONDS: Final = 0.1


def run(settings: Settings) -> int:
    """The process's main function; its exit code."""
    logs.configure(ROLE, settings.log_level.upper())
    logging.getLogger("uvicorn.access").disabled = True  # paths may hold what people typed
    try:
        own, store = load(), _store(settings)
        with only_one(settings, ROLE):
            return asyncio.run(_serve(settings, own, store))
    except DriftlineError as error:
        log.error("stopped", reason=str(error))
        return 1


def _store(settings: Settings) -> ArtifactStore:
    if settings.artifacts_url is None:
        raise DriftlineError("Set DRIFTLINE_ARTIFACTS_URL: it says where the models' bytes lie.")
    return ArtifactStore.at(settings.artifacts_url)


class _Server(uvicorn.Server):
    """Signals are ours: uvicorn would raise them once more and spoil the exit code."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@dataclass(slots=True)
class Parts:
    """What one process is made of."""

    swapping: Swapping
    predicting: Predicting
    recorder: KafkaRecorder
    statuses: Statuses
    health: Health


def build(settings: Settings, own: ScorerSettings, store: ArtifactStore) -> Parts:
    """Every implementation; inside a running loop, since producers report to it."""
    clock = SystemClock()
    recorder = KafkaRecorder(settings.brokers, settings.replica, metrics.RECORDING_DROPS.inc)
    loader = ArtifactLoader(store, SafeCodec(), SanityCheck(thread_time))
    swapping = Swapping(loader, own.warm)
    predicting = Predicting(
        swapping.models, recorder, clock, PREDICTIONS.full_name(settings.topic_prefix),
        own.recording,
    )  # fmt: skip
    statuses = Statuses(
        settings.replica, SCORER_STATUS.full_name(settings.topic_prefix), recorder, clock,
        lambda: swapping.versions,
    )  # fmt: skip
    swapping.changed = statuses.changed
    return Parts(swapping, predicting, recorder, statuses, Health())


async def _serve(settings: Settings, own: ScorerSettings, store: ArtifactStore) -> int:
    parts = build(settings, own, store)
    server = _Server(_config(application(parts.predicting, own.token)))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, _stop, server)
    listening = listen(own.host, own.port)
    runner = await health.serve(
        parts.health, lambda: _refresh(parts.health), settings.metrics_host,
        settings.metrics_port or 0,
    )  # fmt: skip
    log.info("starting", host=own.host, port=listening.getsockname()[1],
             health_port=parts.health.port)  # fmt: skip
    following = asyncio.create_task(_follow(settings, parts, server))
    following.add_done_callback(lambda _: _stop(server))
    await server.serve(sockets=[listening])
    try:
        return await _ended(following, parts)
    finally:
        await runner.cleanup()


async def _ended(following: "asyncio.Task[None]", parts: Parts) -> int:
    """Whatever was answered is flushed first. 0 after a signal; what ended the following is
    raised."""
    following.cancel()
    await asyncio.wait({following})
    await parts.swapping.close()
    if left := await parts.recorder.flush(FLUSH_SECONDS):
        log.error("predictions_lost", count=left, reason="the broker did not take them in time")
        metrics.RECORDING_DROPS.inc(left)
    with suppress(TimeoutError):
        async with asyncio.timeout(FLUSH_SECONDS):
            await parts.statuses.sign_off()
    parts.recorder.close()
    if not following.cancelled() and (error := following.exception()) is not None:
        raise error
    log.info("stopped")
    return 0


async def _follow(settings: Settings, parts: Parts, server: uvicorn.Server) -> None:
    await await_dependencies(settings, False, parts.health)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(parts.statuses.run())
        tasks.create_task(_read(settings, parts.swapping))
        tasks.create_task(_watch(parts, server))


async def _read(settings: Settings, swapping: Swapping) -> None:
    """Deployments as they come, and nothing more from a registry that is damaged: what serves by
    then goes on serving."""
    loop = asyncio.get_running_loop()
    reading = Reading(
        settings.brokers, settings.topic_prefix,
        lambda news: loop.call_soon_threadsafe(swapping.hear, news),
    )  # fmt: skip
    running = asyncio.create_task(in_thread(reading.run, "reading"))
    try:
        await asyncio.shield(running)
    except BrokenChainError as error:
        swapping.damage = f"the registry is damaged: {error}"
        log.error("registry_damaged", reason=str(error))
    finally:
        reading.stop()
        await asyncio.wait({running}, timeout=READER_SECONDS)


async def _watch(parts: Parts, server: uvicorn.Server) -> None:
    """What the probes are told is what the requests are told."""
    while (missing := parts.swapping.not_ready()) is not None:
        parts.predicting.not_ready = parts.health.not_ready = missing
        await asyncio.sleep(WATCH_SECONDS)
    parts.predicting.not_ready = None
    log.info("ready", models=len(parts.swapping.versions))
    while True:
        parts.health.not_ready = "stopping" if server.should_exit else None
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
        limit_concurrency=MOST_CONNECTIONS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        lifespan="off",
        ws="none",
    )
