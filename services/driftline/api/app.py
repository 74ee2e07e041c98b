"""Run the API as a process: it reads topics without a group, and writes commands only."""

import asyncio
from functools import partial
from typing import Final

from driftline.api.application import application
from driftline.api.commands import KafkaCommands
from driftline.api.folds import Folds
from driftline.api.reading import Reading
from driftline.api.roles import Access
from driftline.api.settings import ApiSettings
from driftline.runtime import http_server
from driftline.runtime.clock import SystemClock
from driftline.runtime.dependencies import await_dependencies
from driftline.runtime.health import Health
from driftline.runtime.http_settings import load
from driftline.runtime.settings import Settings

ROLE: Final = "api"
IDLE_SECONDS: Final = 5
STOP_SECONDS: Final = 5
WATCH_SECONDS: Final = 0.1


def run(settings: Settings) -> int:
    """The process's main function; its exit code."""
    return http_server.run(ROLE, settings, _serve)


async def _serve(settings: Settings) -> None:
    own, folds, state = load(ApiSettings), Folds(), Health()
    commands = KafkaCommands(settings.brokers, settings.topic_prefix)
    server = http_server.Server(
        application(folds, commands, SystemClock(), Access.of(own)),
        idle_seconds=IDLE_SECONDS,
        drain_seconds=STOP_SECONDS,
    )
    work = partial(_read, settings, folds, state)
    await http_server.answer(server, own, settings, state, work)


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
