"""Where the API's commands go: a port and the topic behind it."""

import asyncio
from dataclasses import dataclass, field
from typing import Protocol

from driftline.runtime.command_log import CommandLog, written
from driftline_schemas.registry import RegistryCommand


class Commands(Protocol):
    """The topic `registry-commands`."""

    async def append(self, command: RegistryCommand) -> None:
        """Returns when it is written. CommandUnfitError, or CommandNotSentError."""


class KafkaCommands:
    """On a real broker."""

    def __init__(self, brokers: str, prefix: str) -> None:
        self._log = CommandLog(brokers, prefix)

    async def append(self, command: RegistryCommand) -> None:
        await asyncio.to_thread(self._log.append, command)


@dataclass(slots=True)
class MemoryCommands:
    """The in-memory twin."""

    commands: list[RegistryCommand] = field(default_factory=list)

    async def append(self, command: RegistryCommand) -> None:
        written(command)
        self.commands.append(command)
