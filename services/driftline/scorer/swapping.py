"""From what is deployed to what serves: a new version takes over once it is ready, not before.

Everything here runs in the event loop, only loading does not: a request sees one version or the
other, whole. Until the new one is there, or where it is refused, the former goes on serving.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

import structlog

from driftline.runtime import metrics
from driftline.runtime.models.artifacts import ArtifactError
from driftline.scorer.loading import Loader, VersionRefusedError
from driftline.scorer.ready import Ready
from driftline.scorer.shelf import Shelf
from driftline.scorer.threads import in_thread
from driftline.scorer.wanted import VersionSpec, Wanted

log = structlog.get_logger(__name__)

FIRST_WAIT_SECONDS: Final = 0.1  # for bytes that are not there; doubled up to the last
LAST_WAIT_SECONDS: Final = 5.0
MOST_LOADING: Final = 2  # versions at the same time; requests want the processor too
MISSING_TRIES: Final = 6  # about 3 s; from then on it counts as refused, and is tried on


@dataclass(slots=True)
class Standing:
    """One model: what is wanted, what serves, and what is the matter if those are not the same."""

    wanted: Wanted
    shelf: Shelf
    served: Ready | None = None
    settled: int = 0  # the deployment that was put into effect, or refused
    refused: str | None = None
    task: "asyncio.Task[None] | None" = None

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to wait for."""
        return self.settled >= self.wanted.seq


@dataclass(slots=True)
class Swapping:
    """All models; `changed` is called after what serves has changed."""

    loader: Loader
    warm: int
    changed: Callable[[], None] = lambda: None
    models: dict[str, Standing] = field(default_factory=dict)
    damage: str | None = None  # of the registry
    _has_heard: bool = False
    _is_ready: bool = False
    _loading: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MOST_LOADING))

    @property
    def versions(self) -> dict[str, str]:
        """What really serves: version ids by model."""
        return {
            name: standing.served.version.version_id
            for name, standing in self.models.items()
            if standing.served is not None
        }

    @property
    def unsettled(self) -> list[str]:
        """Models whose deployment is neither in effect nor refused."""
        return [name for name, standing in self.models.items() if not standing.is_settled]

    def not_ready(self) -> str | None:
        """What is missing before the scorer serves for the first time. A version that is loaded
        later makes nobody wait, and damage found later stops nobody."""
        if not self._is_ready:
            if not self._has_heard:
                return self.damage or "the registry and the deployments are not read yet"
            if unsettled := self.unsettled:
                return f"{len(unsettled)} models are being loaded"
            self._is_ready = True
        return None

    def hear(self, news: Iterable[Wanted]) -> None:
        """Take in what is deployed now; the first time, of every model."""
        self._has_heard = True
        for wanted in news:
            standing = self.models.get(wanted.model)
            if standing is None:
                standing = self.models[wanted.model] = Standing(wanted, Shelf(self.warm))
                self._begin(standing)
            elif _is_other(standing.wanted, wanted):
                standing.wanted = wanted
                self._begin(standing)
            else:  # only its fallback is another one
                standing.wanted = wanted
                self._warm_up(standing)

    async def close(self) -> None:
        """Load nothing more."""
        tasks = [standing.task for standing in self.models.values() if standing.task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, standing: Standing) -> None:
        if standing.task is not None:  # for a deployment that is past
            standing.task.cancel()
            standing.task = None
        version = standing.wanted.version
        if version is None:
            return  # its fact is still to come
        if (ready := standing.shelf.get(version.version_id)) is not None:
            self._serve(standing, ready)
        else:
            standing.task = asyncio.create_task(self._prepare(standing, version))

    async def _prepare(self, standing: Standing, version: VersionSpec) -> None:
        try:
            ready = await self._loaded(standing, version)
        except VersionRefusedError as error:
            self._refuse(standing, error.reason, str(error))
        except Exception as error:
            # A fault of ours must not look like loading for ever.
            log.exception("cannot_load", model=standing.wanted.model)
            self._refuse(standing, "unexpected", f"cannot be loaded: {error!r}")
        else:
            standing.task = None
            self._serve(standing, ready)

    async def _loaded(self, standing: Standing, version: VersionSpec) -> Ready:
        """In a thread, again and again while its bytes are not there."""
        wait, tries = FIRST_WAIT_SECONDS, 0
        while True:
            try:
                return await self._load(version)
            except ArtifactError as error:
                tries += 1
                if tries == MISSING_TRIES:
                    self._refuse(standing, "artifact", str(error))
            await asyncio.sleep(wait)
            wait = min(2 * wait, LAST_WAIT_SECONDS)

    def _serve(self, standing: Standing, ready: Ready) -> None:
        wanted, former = standing.wanted, standing.served
        standing.served, standing.settled, standing.refused = ready, wanted.seq, None
        standing.shelf.put(ready, _never(standing))
        if former is not ready:
            metrics.SWAPS.labels(metrics.bounded(wanted.model)).inc()
        log.info("serving", model=wanted.model, version=ready.version.name,
                 version_id=ready.version.version_id, deployment=wanted.seq,
                 former=former.version.name if former else None)  # fmt: skip
        self.changed()
        self._warm_up(standing)

    async def _load(self, version: VersionSpec) -> Ready:
        async with self._loading:
            return await in_thread(lambda: self.loader.load(version), "loading")

    def _refuse(self, standing: Standing, reason: str, why: str) -> None:
        wanted, served = standing.wanted, standing.served
        metrics.VERSIONS_REFUSED.labels(reason).inc()
        standing.refused, standing.settled = why, wanted.seq
        log.error("version_refused", model=wanted.model, version_id=wanted.version_id,
                  deployment=wanted.seq, reason=why,
                  serving=served.version.name if served else None)  # fmt: skip
        self.changed()

    def _warm_up(self, standing: Standing) -> None:
        """Have at hand what a rollback would bring back: after a restart it is not."""
        fallback = standing.wanted.fallback
        busy = standing.task is not None and not standing.task.done()
        if fallback is None or busy or fallback.version_id in standing.shelf:
            return
        standing.task = asyncio.create_task(self._warmed(standing, fallback))

    async def _warmed(self, standing: Standing, version: VersionSpec) -> None:
        try:
            ready = await self._load(version)
        except (ArtifactError, VersionRefusedError) as error:
            log.warning("not_warm", version=version.name, reason=str(error))
        else:
            standing.shelf.put(ready, _never(standing))


def _is_other(known: Wanted, wanted: Wanted) -> bool:
    return (known.seq, known.version is None) != (wanted.seq, wanted.version is None)


def _never(standing: Standing) -> tuple[str | None, ...]:
    """What stays warm: what serves, what is wanted, and what a rollback would bring back."""
    fallback, served = standing.wanted.fallback, standing.served
    return (
        served.version.version_id if served else None,
        standing.wanted.version_id,
        fallback.version_id if fallback else None,
    )
