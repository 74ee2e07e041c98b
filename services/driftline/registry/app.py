"""Put the registry's owner together."""

import asyncio
from typing import Any

import structlog

from driftline.registry.facts import KafkaFacts
from driftline.registry.owner import Owner
from driftline.registry.state import CommandsState
from driftline.runtime.clock import SystemClock
from driftline.runtime.dead_letters import DeadLetters
from driftline.runtime.keeper import Keeper
from driftline.runtime.outputs import KafkaOutputs
from driftline.runtime.ports import Opening, StoreUnavailableError
from driftline.runtime.service import Service
from driftline.runtime.settings import Settings
from driftline_schemas.topics import REGISTRY_COMMANDS

log = structlog.get_logger(__name__)

ROLE = "registry"
SCHEDULE_SECONDS = 1.0


def build(settings: Settings) -> Service[None]:
    """The registry: `registry-commands` in; `registry`, `deployments`, control records out."""
    prefix = settings.topic_prefix
    outputs = KafkaOutputs(settings.brokers, f"{prefix}.{ROLE}.{settings.replica}")
    clock = SystemClock()
    owner = Owner(KafkaFacts(settings.brokers, prefix, clock), outputs, prefix, clock)
    refused = DeadLetters(outputs, prefix, ROLE)

    async def open_state(opening: Opening[None]) -> CommandsState:
        try:
            await owner.open()  # before any command is read: whoever had it is fenced
        except StoreUnavailableError as error:
            log.warning("registry_unavailable", reason=str(error))  # the next command tries again
        return CommandsState(owner, refused, opening.partition)

    async def until_failure(_keeper: Keeper[Any]) -> None:
        await owner.failed.wait()
        if owner.failure is not None:
            raise owner.failure

    async def schedules(keeper: Keeper[Any]) -> None:
        while True:
            await asyncio.sleep(SCHEDULE_SECONDS)
            if keeper.owned:
                await _run_schedules(owner)

    return Service(
        role=ROLE,
        topics=(REGISTRY_COMMANDS,),
        outputs=outputs,
        open_state=open_state,
        store=None,
        background=(until_failure, schedules),
    )


async def _run_schedules(owner: Owner) -> None:
    try:
        await owner.run_schedules()
    except StoreUnavailableError as error:
        log.warning("schedules_wait", reason=str(error))
