"""From what is deployed to what serves: a new version takes over once it is ready, not before.

Everything here runs in the event loop, only loading does not: a request sees one version or the
other, whole. Until the new one is there, or where it is refused, the former goes on serving.
"""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import structlog

from driftline.runtime import metrics
from driftline.runtime.models.artifacts import ArtifactError
from driftline.scorer.loading import Loader, VersionRefusedError
from driftline.scorer.ready import Ready
from driftline.scorer.shelf import Shelf
from driftline.scorer.threads import LateError, StuckError, in_thread
from driftline.scorer.wanted import VersionSpec, Wanted

log = structlog.get_logger(__name__)

FIRST_WAIT_SECONDS: Final = 0.1  # for bytes that are not there; doubled up to the last
LAST_WAIT_SECONDS: Final = 5.0
MOST_LOADING: Final = 2  # versions at the same time; requests want the processor too
MISSING_TRIES: Final = 6  # about 3 s; from then on it counts as refused, and is tried on
LOAD_SECONDS: Final = 60.0  # a load that takes longer is refused, lest it hold up what follows
MOST_SAID: Final = 10  # models in a warning


@dataclass(slots=True)
class Standing:
    """One model: what is wanted, what serves, and what is the matter if those are not the same."""

    wanted: Wanted
    shelf: Shelf
    served: Ready | None = None
    settled: int = 0  # the newest deployment that was put into effect, or refused
    refused: str | None = None
    task: "asyncio.Task[None] | None" = None  # loads, one version after the other
    news: asyncio.Event = field(default_factory=asyncio.Event)
    unfit: set[str] = field(default_factory=set)  # ids of versions that were refused for good

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to wait for."""
        return self.settled >= self.wanted.seq

    def may_serve(self, overtaken: Wanted) -> bool:
        """Whether a deployment that another one has followed may serve until that one is loaded:
        not if what followed has served meanwhile, or has taken it back."""
        return not self.is_settled and overtaken.seq > max(self.settled, self.wanted.back)


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
    def seqs(self) -> dict[str, int]:
        """The newest deployment that was put into effect, or refused, of the models that serve."""
        return {name: self.models[name].settled for name in self.versions}

    @property
    def waiting(self) -> list[str]:
        """Models that nothing serves yet, though something may."""
        return [
            name
            for name, standing in self.models.items()
            if standing.served is None and not standing.is_settled
        ]

    @property
    def warning(self) -> str | None:
        """What is not as it should be although predictions are answered; one line."""
        if self.damage is not None:
            return self.damage
        refused = sorted(name for name, each in self.models.items() if each.refused is not None)
        return "; ".join(map(self._refused_said, refused[:MOST_SAID])) or None

    def not_ready(self) -> str | None:
        """What is missing before the scorer serves for the first time. A version that is loaded
        later makes nobody wait, and damage found later stops nobody."""
        if not self._is_ready:
            if not self._has_heard:
                return self.damage or "the registry is not read yet"
            if waiting := self.waiting:
                return f"{len(waiting)} models are being loaded"
            self._is_ready = True
        return None

    def hear(self, news: Iterable[Wanted]) -> None:
        """Take in what is deployed now; the first time, of every model."""
        self._has_heard = True
        for wanted in news:
            standing = self.models.get(wanted.model)
            if standing is None:
                standing = self.models[wanted.model] = Standing(wanted, Shelf(self.warm))
            standing.wanted = wanted
            self._serve_what_is_warm(standing)
            standing.news.set()
            if standing.task is None or standing.task.done():
                standing.task = asyncio.create_task(self._load_all(standing))

    async def close(self) -> None:
        """Load nothing more."""
        tasks = [standing.task for standing in self.models.values() if standing.task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _refused_said(self, name: str) -> str:
        standing = self.models[name]
        server = standing.served.version.name if standing.served else "nothing"
        return f"{name} is served by {server}, for what is deployed is refused: {standing.refused}"

    def _serve_what_is_warm(self, standing: Standing) -> None:
        """At once: a rollback waits for nothing that is being loaded."""
        version = standing.wanted.version
        if version is None or standing.is_settled:
            return
        if (ready := standing.shelf.get(version.version_id)) is not None:
            self._settle(standing, standing.wanted, ready)

    async def _load_all(self, standing: Standing) -> None:
        """Until what is wanted serves, or cannot, and the way back is warm.

        A load that has begun is never given up for a newer deployment: where versions come faster
        than one is loaded, none would ever serve.
        """
        wanted = None
        while standing.wanted is not wanted:
            wanted = standing.wanted
            self._serve_what_is_warm(standing)
            await self._load_wanted(standing, wanted)
            await self._warm_up(standing)

    async def _load_wanted(self, standing: Standing, wanted: Wanted) -> None:
        """Again and again while its bytes are not there, and no other deployment is wanted."""
        version = wanted.version
        if version is None or standing.is_settled:
            return
        wait, tries = FIRST_WAIT_SECONDS, 0
        while standing.wanted.seq == wanted.seq:
            standing.news.clear()
            try:
                ready = await self._load(version)
            except ArtifactError as error:
                tries += 1
                if tries == MISSING_TRIES:
                    self._refuse(standing, wanted, "artifact", str(error))
            except VersionRefusedError as error:
                standing.unfit.add(version.version_id)
                self._refuse(standing, wanted, error.reason, str(error))
                return
            else:
                self._take_over(standing, wanted, ready)
                return
            if standing.served is None:
                await self._warm_up(standing)
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await standing.news.wait()
            wait = min(2 * wait, LAST_WAIT_SECONDS)

    async def _warm_up(self, standing: Standing) -> None:
        """Have at hand what a rollback would bring back: after a restart it is not. Where what is
        wanted cannot serve and nothing else does, it serves instead."""
        fallback = standing.wanted.fallback
        if fallback is None or fallback.version_id in standing.unfit or not standing.is_settled:
            return
        if (ready := standing.shelf.get(fallback.version_id)) is None:
            try:
                ready = await self._load(fallback)
            except (ArtifactError, VersionRefusedError) as error:
                if isinstance(error, VersionRefusedError):
                    standing.unfit.add(fallback.version_id)
                log.warning("not_warm", version=fallback.name, reason=str(error))
                return
            standing.shelf.put(ready, _never(standing))
        if standing.served is None and standing.is_settled:
            self._serve(standing, ready)

    async def _load(self, version: VersionSpec) -> Ready:
        """In a thread, which gives its place to others after a minute, whatever holds it up."""
        try:
            async with self._loading:
                return await in_thread(lambda: self.loader.load(version), "loading", LOAD_SECONDS)
        except LateError:
            late = f"{version.name} was not loaded within {LOAD_SECONDS:g} s"
            raise VersionRefusedError("slow", late) from None
        except StuckError:  # not the version's fault: to be tried again
            silent = f"the bytes of {version.name} did not come within {LOAD_SECONDS:g} s"
            raise ArtifactError(silent) from None
        except (ArtifactError, VersionRefusedError):
            raise
        except Exception as error:
            # A fault of ours must not look like loading for ever.
            log.exception("cannot_load", model=version.recipe.model, version=version.name)
            raise VersionRefusedError("unexpected", f"cannot be loaded: {error!r}") from error

    def _take_over(self, standing: Standing, wanted: Wanted, ready: Ready) -> None:
        """What was wanted when its load began is here."""
        standing.shelf.put(ready, _never(standing))
        if standing.wanted.seq == wanted.seq or standing.may_serve(wanted):
            self._settle(standing, wanted, ready)

    def _settle(self, standing: Standing, wanted: Wanted, ready: Ready) -> None:
        standing.settled, standing.refused = wanted.seq, None
        self._serve(standing, ready)

    def _serve(self, standing: Standing, ready: Ready) -> None:
        wanted, former = standing.wanted, standing.served
        standing.served = ready
        standing.shelf.put(ready, _never(standing))
        if former is not ready:
            metrics.SWAPS.labels(metrics.bounded(wanted.model)).inc()
        log.info("serving", model=wanted.model, version=ready.version.name,
                 version_id=ready.version.version_id, deployment=standing.settled,
                 former=former.version.name if former else None,
                 instead_of=wanted.version_id if standing.refused else None)  # fmt: skip
        self.changed()

    def _refuse(self, standing: Standing, wanted: Wanted, reason: str, why: str) -> None:
        served = standing.served
        metrics.VERSIONS_REFUSED.labels(reason).inc()
        standing.settled = max(standing.settled, wanted.seq)
        if standing.wanted.seq == wanted.seq:
            standing.refused = why
        log.error("version_refused", model=wanted.model, version_id=wanted.version_id,
                  deployment=wanted.seq, reason=why,
                  serving=served.version.name if served else None)  # fmt: skip
        self.changed()


def _never(standing: Standing) -> tuple[str | None, ...]:
    """What stays warm: what serves, what is wanted, and what a rollback would bring back."""
    fallback, served = standing.wanted.fallback, standing.served
    return (
        served.version.version_id if served else None,
        standing.wanted.version_id,
        fallback.version_id if fallback else None,
    )
