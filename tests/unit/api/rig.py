"""The API in memory: its folds are fed by a registry in memory."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from driftline.api.application import application
from driftline.api.commands import MemoryCommands
from driftline.api.folds import Folds
from driftline.api.roles import Access, Role
from driftline.runtime.memory import ManualClock
from driftline_schemas.registry import RegistryCommand
from driftline_schemas.topics import REGISTRY
from tests.unit.core.registry.book import Book

OPERATOR, VIEWER = "operator-0123456789", "viewer-0123456789"
TOKENS = {OPERATOR.encode(): Role.operator, VIEWER.encode(): Role.viewer}


@dataclass
class Deciding(MemoryCommands):
    """Commands that an owner decides on as soon as they are appended."""

    decide: Callable[[RegistryCommand], None] = lambda _: None

    async def append(self, command: RegistryCommand) -> None:
        await MemoryCommands.append(self, command)
        self.decide(command)


@dataclass
class Rig:
    """`book` is the registry; `owned` False: nobody decides."""

    book: Book
    owned: bool = True
    tokens: dict[bytes, Role] = field(default_factory=dict)
    folds: Folds = field(default_factory=Folds)
    fed: int = 0

    def __post_init__(self) -> None:
        self.folds.not_ready = None
        self.feed()
        self.commands = Deciding(decide=self._decide)
        self.app = application(
            self.folds, self.commands, ManualClock(self.book.now), Access(self.tokens)
        )

    def feed(self) -> None:
        """Bring the folds up to the book."""
        for raw in self.book.records[self.fed :]:
            self.folds.take(REGISTRY, raw)
        self.fed = len(self.book.records)
        self.folds.notify()

    def _decide(self, command: RegistryCommand) -> None:
        if self.owned:
            self.book.bring(command)
            self.feed()

    async def ask(self, method: str, path: str, **given: Any) -> httpx.Response:
        """One request, as from this machine."""
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.request(method, path, **given)

    async def give(
        self, action: str, body: dict[str, Any], key: str = "k1", **more: Any
    ) -> httpx.Response:
        """A command."""
        headers = {"Idempotency-Key": key, **more.pop("headers", {})}
        given = {"action": action, "body": body, "reason": "because", "actor": "ann", **more}
        return await self.ask("POST", "/v1/commands", json=given, headers=headers)
