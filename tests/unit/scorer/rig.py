"""The scorer in memory: a registry in memory feeds it, artifacts lie in `memory://`."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any

import httpx
import orjson
from fastapi import FastAPI
from pydantic import SecretStr

from driftline.runtime.memory import ManualClock
from driftline.runtime.models.artifacts import ArtifactStore
from driftline.runtime.models.loader import SafeCodec
from driftline.scorer.application import application
from driftline.scorer.gatekeeper import MOST_REQUESTS
from driftline.scorer.loading import ArtifactLoader
from driftline.scorer.predicting import Predicting
from driftline.scorer.ready import Ready
from driftline.scorer.recording import MemoryRecorder
from driftline.scorer.sanity import SanityCheck
from driftline.scorer.swapping import Swapping
from driftline.scorer.wanted import Deployments, VersionSpec
from loadtests.versions import Trainer, spec_body, wire_spec
from tests.unit.core.registry.book import START, Book

TOPIC = "driftline.predictions.v1"
ROW = {"age": 51.5, "pro": True}


def no_time() -> float:
    """A stopwatch that stands still."""
    return 0.0


@dataclass
class CountingLoader:
    """The real loader; `loaded` lists what it was asked for, `before` may hold it up or raise."""

    inner: ArtifactLoader
    loaded: list[str] = field(default_factory=list)
    before: Callable[[], object] = lambda: None

    def load(self, version: VersionSpec) -> Ready:
        self.before()
        self.loaded.append(version.name)
        return self.inner.load(version)


@dataclass
class Rig:
    """`spec` is applied, `sm/v1` serves and `lr/v1` is registered once `begin` has returned."""

    spec: dict[str, Any] = field(default_factory=wire_spec)
    warm: int = 4
    token: str | None = None
    most: int = MOST_REQUESTS
    seconds: Callable[[], float] = no_time
    book: Book = field(default_factory=Book)
    recorder: MemoryRecorder = field(default_factory=MemoryRecorder)
    clock: ManualClock = field(default_factory=lambda: ManualClock(START))
    fed: int = 0
    changes: int = 0

    def __post_init__(self) -> None:
        self.store = ArtifactStore.at(f"memory://{token_hex(4)}")
        self.trainer = Trainer(self.spec, self.store)
        self.loader = CountingLoader(
            ArtifactLoader(self.store, SafeCodec(), SanityCheck(self.seconds))
        )
        self.swapping = Swapping(self.loader, self.warm, self._count)
        self.predicting = Predicting(
            self.swapping.models, self.recorder, self.clock, TOPIC, not_ready=None
        )
        token = SecretStr(self.token) if self.token else None
        self.app: FastAPI = application(self.predicting, token, self.most)
        self.deployments = Deployments()

    def _count(self) -> None:
        self.changes += 1

    async def begin(self) -> None:
        self.book.accepted("apply_spec", spec_body(self.spec))
        for pipeline in self.spec["pipelines"]:
            self.book.accepted("model_updated", self.trainer.version(pipeline))
        await self.feed()

    async def feed(self) -> None:
        """Bring the scorer up to the book, and wait until it has done what it can."""
        self.tell()
        await self.settle()

    def tell(self) -> None:
        """The same without waiting."""
        for raw in self.book.records[self.fed :]:
            self.take(raw)
        self.fed = len(self.book.records)
        self.swapping.hear(self.deployments.news())

    def take(self, raw: bytes) -> None:
        """One fact."""
        self.deployments.take(raw)

    async def settle(self) -> None:
        models = self.swapping.models.values()
        while tasks := [each.task for each in models if each.task and not each.task.done()]:
            await asyncio.wait(tasks, timeout=20)

    async def promote(self, version: str) -> None:
        model = self.spec["model"]
        self.book.accepted("promote", {"model": model, "version": version})
        await self.feed()

    async def rollback(self) -> None:
        self.book.accepted("rollback", {"model": self.spec["model"]})
        await self.feed()

    async def ask(self, method: str, path: str, **given: Any) -> httpx.Response:
        """One request, as from this machine."""
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.request(method, path, **given)

    async def predict(self, model: str = "churn", **body: Any) -> httpx.Response:
        return await self.ask("POST", f"/v1/models/{model}:predict", json={"features": ROW, **body})

    async def serving(self) -> str:
        """The name of the version that answers."""
        answer = (await self.predict()).json()
        known = self.book.state.models[self.spec["model"]]
        return known.versions[answer["model_version"]].name

    def published(self) -> list[dict[str, Any]]:
        return [orjson.loads(value) for topic, _, value in self.recorder.records if topic == TOPIC]
