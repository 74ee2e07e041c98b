"""What the learner knows about one journal partition, and how that is saved and published."""

import asyncio
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

import orjson
import structlog

from driftline.core.learning.fold import Learned, LearningFold, Upcoming
from driftline.core.learning.labelled import labelled
from driftline.core.learning.materials import Failure, Material
from driftline.core.learning.outcomes import Outcome, VersionMade
from driftline.core.learning.rows import Recorded, Table
from driftline.core.learning.versions import Dumped
from driftline.learner.documents import Bytes, Document, ModelDocument, Stores
from driftline.learner.publishing import Publishing
from driftline.learner.telling import Telling
from driftline.learner.trials import Trials
from driftline.learner.workshop import Workshop
from driftline.runtime import metrics
from driftline.runtime.checkpoint_topic import key_of
from driftline.runtime.models.collecting import BIG
from driftline.runtime.ports import Clock, Record
from driftline.runtime.states import BasicState
from driftline_schemas.codec import encode
from driftline_schemas.journal import JOURNAL_RECORD, Correction, Counts, Mark
from driftline_schemas.registry import Artifact, Checkpoint
from driftline_schemas.topics import CHECKPOINTS

log = structlog.get_logger(__name__)

ROLE: Final = "learner"
SAVE_MS: Final = 15_000  # live models are written at most so often
SAVE_SHARE: Final = 20  # and this many times less than it takes
TELL_MS: Final = 600_000  # between two records in `checkpoints`
UNREAD: Final = ("mark", "counts", "correction")  # they only tell the time
Snapshots = Sequence[tuple[dict[str, Any], dict[str, bytes]]]


@dataclass(slots=True)
class Progress:
    """Journal offsets: what was read, and below which nothing is published."""

    next: int
    silent_below: int


class LearnerState(BasicState[bytes]):
    """A fold of one journal partition that publishes what it finds.

    Records below `silent_below` were folded before and what follows from them is published: they
    only rebuild the state. `materials` is what the fold looks into; it is filled here. Big models
    learn and are written in a thread; small ones in the event loop, where no time is lost between.
    `broken` counts the lineages that have stopped.
    """

    def __init__(
        self,
        partition: int,
        fold: LearningFold,
        materials: dict[str, Material],
        progress: Progress,
        *,
        workshop: Workshop,
        trials: Trials,
        publishing: Publishing,
        stores: Stores,
        prefix: str,
        clock: Clock,
        before: Document | None = None,
    ) -> None:
        self.fold = fold
        self._partition = partition
        self._materials = materials
        self._progress = progress
        self._workshop = workshop
        self._telling = Telling(publishing, trials, stores.versions, prefix)
        self._publishing = publishing
        self._stores = stores
        self._prefix = prefix
        self._clock = clock
        self._document = before  # the last checkpoint
        self._cut: Document | None = None  # cut, not saved yet
        self._kept = set(before.holds.versions) | set(before.holds.passing) if before else set()
        self._training = False
        self._cutting: asyncio.Future[bytes] | None = None
        self._folded_at = 0
        self._is_big = bool(fold.models) if before is None else _holds_big(before.holds)
        self._touched = True  # by what the last checkpoint does not hold, time aside
        self._saved_at = 0
        self._pause = SAVE_MS
        self._decoded: tuple[Sequence[Record], list[Upcoming]] | None = None
        self._counted = (0, 0)
        self.broken = fold.broken()

    def start(self, offsets: Mapping[str, int]) -> Mapping[str, int]:
        """Where the state stands, which is further back if it must be rebuilt."""
        return dict.fromkeys(offsets, self._progress.next)

    # Before records.

    async def prepare(self, topic: str, records: Sequence[Record]) -> None:
        """Fetch and make what they need. Raises StoreUnavailableError: try again."""
        await self._publishing.room()
        upcoming = [upcoming_of(record) for record in records]
        self._decoded = records, upcoming
        needs = {need.key: need for need in self.fold.needs(upcoming)}
        for key in [key for key in self._materials if key not in needs]:
            del self._materials[key]
        for key, need in needs.items():
            if key not in self._materials:
                material = await self._workshop.get(self._partition, need)
                self._materials[key] = material
                if isinstance(material, Failure):
                    log.warning("cannot_be_learned", need=key, reason=material.reason)
        await self._train_ahead(upcoming)

    async def _train_ahead(self, upcoming: Sequence[Upcoming]) -> None:
        """What these records will pay for, in a thread: the fold then finds it done."""
        if not self.fold.is_busy:
            return
        times = [entry.append_time for entry in upcoming]
        while self._cutting is not None and not self._cutting.done():
            await asyncio.wait({self._cutting})  # it writes these models
        self._training = True
        try:
            for model in self.fold.models.values():
                for job in model.jobs.open:
                    material = self._materials.get(job.need.key)
                    if isinstance(material, Table | Recorded):
                        await self._workshop.advance(job, material, job.earned_after(times))
        finally:
            self._training = False

    def busy_at(self) -> int:
        """Training may take long, and so may big models."""
        return max(self._workshop.busy_at, self._folded_at)

    # Records.

    def apply(self, topic: str, records: Sequence[Record]) -> Awaitable[None] | None:
        """Fold the records in. Raises for one that is no journal record."""
        decoded, self._decoded = self._decoded, None
        if decoded is not None and decoded[0] is records:
            upcoming = decoded[1]
        else:
            upcoming = [upcoming_of(record) for record in records]
        if self._takes_long():
            return self._apply_aside(upcoming)
        self._tell_all(self._folded(upcoming))
        return None

    async def _apply_aside(self, upcoming: Sequence[Upcoming]) -> None:
        self._tell_all(await asyncio.to_thread(self._folded, upcoming))

    def _takes_long(self) -> bool:
        """Whether models are at work that would hold up the event loop."""
        return self._is_big or self.fold.is_busy or any(map(_weighs, self._materials.values()))

    def _folded(self, upcoming: Sequence[Upcoming]) -> list[Outcome]:
        """What follows from the records and is to be told. May run in a thread: it publishes
        nothing itself."""
        told: list[Outcome] = []
        for entry in upcoming:
            found = self.fold.step(entry)
            self._is_big = self._is_big or any(map(_weighs, found))
            self._touched = self._touched or entry.record is not None or self.fold.is_busy
            self._progress.next = entry.offset + 1
            self._folded_at = self._clock.now()
            if entry.offset >= self._progress.silent_below:
                told += found
        return told

    def _tell_all(self, outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            if isinstance(outcome, VersionMade):
                self._kept.add(outcome.version.manifest.sha256)
            self._telling.tell(outcome)
        self._count()

    def _count(self) -> None:
        labels = sum(model.labels for model in self.fold.models.values())
        conflicts = self.fold.conflicts
        metrics.LABELS_LEARNED.inc(max(0, labels - self._counted[0]))
        metrics.LABEL_KIND_CONFLICTS.inc(max(0, conflicts - self._counted[1]))
        self._counted = labels, conflicts
        self.broken = self.fold.broken()

    # Checkpoints.

    def ready(self) -> bool:
        """Not while a model is learning in a thread; and a checkpoint of a rebuild would take
        committed offsets back."""
        return self._progress.next >= self._progress.silent_below and not self._training

    def due(self) -> bool:
        """Whole models are written: not often, unless only time has passed."""
        return not self._touched or self._clock.now() - self._saved_at >= self._pause

    def cut(self) -> bytes | Awaitable[bytes]:
        """The state as JSON. Bytes that the store lacks are on their way when it is returned, and
        the outputs are not flushed before they are there."""
        if self._takes_long():
            self._cutting = asyncio.ensure_future(self._cut_aside())
            return self._cutting
        began = self._clock.now()
        return self._written(began, self.fold.snapshots(self._progress.next))

    async def _cut_aside(self) -> bytes:
        began = self._clock.now()
        snapshots = await asyncio.to_thread(self.fold.snapshots, self._progress.next)
        return self._written(began, snapshots)

    def _written(self, began: int, snapshots: Snapshots) -> bytes:
        artifacts = {digest: raw for _, kept in snapshots for digest, raw in kept.items()}
        versions = self.fold.versions()
        sizes = Bytes.split(artifacts, versions)
        self._is_big = _holds_big(sizes)
        self._keep(artifacts, sizes)
        told_at, pinned = self._document_facts()
        if began - told_at >= TELL_MS:
            told_at, pinned = began, self._tell_checkpoints(snapshots, versions)
        models = [state for state, _ in snapshots]
        self._cut = Document(self.fold.time, models, sizes, pinned, told_at)
        if self._touched:
            self._saved_at = self._clock.now()
            self._pause = max(SAVE_MS, SAVE_SHARE * (self._saved_at - began))
        self._touched = False
        self.broken = self.fold.broken()
        return self._cut.encoded()

    def _document_facts(self) -> tuple[int, tuple[str, ...]]:
        """When the topic was told, and what it refers to; at first as if just now."""
        if self._document is not None:
            return self._document.told_at, self._document.pinned
        return self._clock.now(), ()

    def _keep(self, artifacts: Mapping[str, bytes], sizes: Bytes) -> None:
        for store, digests in (
            (self._stores.versions, sizes.versions),
            (self._stores.passing, sizes.passing),
        ):
            for digest in digests:
                if digest not in self._kept:
                    self._publishing.put(store, artifacts[digest], _nothing)
        self._kept = {*sizes.versions, *sizes.passing}

    def _tell_checkpoints(self, snapshots: Snapshots, versions: set[str]) -> tuple[str, ...]:
        """Write each registered model down for the day Redis is lost; what must be kept for it."""
        known = [(state, kept) for state, kept in snapshots if state["seqs"]]
        models = tuple(str(state["model"]) for state, _ in known)
        pinned: list[str] = []
        for state, kept in known:
            sizes = Bytes.split(kept, versions)
            document = ModelDocument(state, sizes, models).encoded()
            pinned += [*sizes.passing, self._tell_checkpoint(str(state["model"]), document)]
        return tuple(pinned)

    def _tell_checkpoint(self, model: str, document: bytes) -> str:
        offset, topic = self._progress.next, CHECKPOINTS.full_name(self._prefix)

        def tell(artifact: Artifact) -> None:
            told = Checkpoint(role=ROLE, model=model, offset=offset, artifact=artifact)
            self._publishing.produce(topic, encode(told), key=key_of(ROLE, model))

        self._publishing.put(self._stores.passing, document, tell)
        return sha256(document).hexdigest()

    def saved(self) -> bool:
        """What the last checkpoint referred to and this one does not may go."""
        before, self._document = self._document, self._cut
        if before is not None and self._cut is not None:
            now = {*self._cut.holds.passing, *self._cut.pinned}
            for digest in {*before.holds.passing, *before.pinned} - now:
                self._publishing.remove(self._stores.passing, digest)
        return False


def _nothing(_artifact: Artifact) -> None:
    """Nobody hears of it: the checkpoint itself refers to it."""


def _holds_big(sizes: Bytes) -> bool:
    return any(size >= BIG for size in (*sizes.versions.values(), *sizes.passing.values()))


def _weighs(found: Material | Outcome) -> bool:
    """Whether it is a big model."""
    if isinstance(found, VersionMade):
        return len(found.payload) >= BIG
    return isinstance(found, Dumped) and len(found.payload) >= BIG


def upcoming_of(record: Record) -> Upcoming:
    """Raises ValueError for what is no journal record."""
    document = orjson.loads(record.value or b"")
    return Upcoming(record.offset, record.timestamp, _told(document))


def _told(document: object) -> Learned | None:
    if isinstance(document, dict):
        kind = document.get("kind")
        if kind in UNREAD:
            return None
        if kind == "joined" and (found := labelled(document)) is not None:
            return found
    told = JOURNAL_RECORD.validate_python(document)
    return None if isinstance(told, Mark | Counts | Correction) else told
