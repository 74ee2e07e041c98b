"""Run the scorer as a process: it reads topics without a group, and answers over HTTP."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from time import thread_time
from typing import Final

import structlog

from driftline.core.fact_chain import BrokenChainError
from driftline.runtime import http_server, metrics
from driftline.runtime.clock import SystemClock
from driftline.runtime.dependencies import await_dependencies
from driftline.runtime.errors import DriftlineError
from driftline.runtime.health import Health
from driftline.runtime.http_server import Server
from driftline.runtime.http_settings import load
from driftline.runtime.models.artifacts import ArtifactStore
from driftline.runtime.models.loader import SafeCodec
from driftline.runtime.settings import Settings
from driftline.scorer.application import application
from driftline.scorer.loading import ArtifactLoader
from driftline.scorer.predicting import Predicting
from driftline.scorer.reading import Reading
from driftline.scorer.recording import ACK_SECONDS, KafkaRecorder
from driftline.scorer.sanity import SanityCheck
from driftline.scorer.settings import ScorerSettings
from driftline.scorer.statuses import Statuses
from driftline.scorer.swapping import Swapping
from driftline.scorer.threads import in_thread
from driftline_schemas.topics import PREDICTIONS, SCORER_STATUS

log = structlog.get_logger(__name__)

ROLE: Final = "scorer"
DRAIN_SECONDS: Final = int(ACK_SECONDS) + 1  # for requests that run at SIGTERM
FLUSH_SECONDS: Final = 2.0  # for predictions that nobody waits for
READER_SECONDS: Final = 1.0
KEEP_ALIVE_SECONDS: Final = 75  # longer than clients keep a connection: they close it, not we
WATCH_SECONDS: Final = 0.1


def run(settings: Settings) -> int:
    """The process's main function; its exit code."""
    return http_server.run(ROLE, settings, _serve)


def _store(settings: Settings) -> ArtifactStore:
    if settings.artifacts_url is None:
        raise DriftlineError("Set DRIFTLINE_ARTIFACTS_URL: it says where the models' bytes lie.")
    return ArtifactStore.at(settings.artifacts_url)


@dataclass(slots=True)
class Parts:
    """What one process is made of."""

    swapping: Swapping
    predicting: Predicting
    recorder: KafkaRecorder
    statuses: Statuses
    health: Health

    async def close(self) -> None:
        """Whatever was answered is flushed first."""
        await self.swapping.close()
        if left := await self.recorder.flush(FLUSH_SECONDS):
            log.error("predictions_lost", count=left, reason="the broker did not take them in time")
            metrics.RECORDING_DROPS.inc(left)
        with suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_SECONDS):
                await self.statuses.sign_off()
        self.recorder.close()


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
        lambda: swapping.versions, lambda: swapping.seqs,
    )  # fmt: skip
    swapping.changed = statuses.changed
    return Parts(swapping, predicting, recorder, statuses, Health())


async def _serve(settings: Settings) -> None:
    own = load(ScorerSettings)
    parts = build(settings, own, _store(settings))
    server = Server(
        application(parts.predicting, own.token),
        idle_seconds=KEEP_ALIVE_SECONDS,
        drain_seconds=DRAIN_SECONDS,
    )
    work = partial(_follow, settings, parts, server)
    await http_server.answer(server, own, settings, parts.health, work, parts.close)


async def _follow(settings: Settings, parts: Parts, server: Server) -> None:
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
        metrics.REGISTRY_DAMAGED.set(1)
        log.error("registry_damaged", reason=str(error))
    finally:
        reading.stop()
        await asyncio.wait({running}, timeout=READER_SECONDS)


async def _watch(parts: Parts, server: Server) -> None:
    """What the probes are told is what the requests are told."""
    while (missing := parts.swapping.not_ready()) is not None:
        parts.predicting.not_ready = parts.health.not_ready = missing
        await asyncio.sleep(WATCH_SECONDS)
    parts.predicting.not_ready = None
    log.info("ready", models=len(parts.swapping.versions))
    while True:
        parts.health.not_ready = "stopping" if server.should_exit else None
        parts.health.warning = parts.swapping.warning
        await asyncio.sleep(WATCH_SECONDS)
