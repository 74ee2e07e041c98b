"""How does a partition start? From its checkpoint; else from the topic `checkpoints`; else anew."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final
from weakref import WeakSet

import structlog

from driftline.core.learning.fold import LearningFold
from driftline.core.learning.materials import Material
from driftline.core.learning.surroundings import LearningPolicy, Surroundings
from driftline.core.learning.versions import ModelCodec
from driftline.learner.documents import Document, ModelDocument, Stores
from driftline.learner.publishing import Publishing
from driftline.learner.state import LearnerState, Progress
from driftline.learner.trials import Trials
from driftline.learner.workshop import Workshop
from driftline.runtime import metrics
from driftline.runtime.checkpoint_topic import Checkpoints
from driftline.runtime.errors import DriftlineError
from driftline.runtime.models.artifacts import ArtifactUnavailableError
from driftline.runtime.ports import Clock, Opening
from driftline_schemas.registry import Checkpoint
from driftline_schemas.topics import JOURNAL

log = structlog.get_logger(__name__)

RETRY_SECONDS: Final = 1.0
UNREADABLE: Final = (ValueError, KeyError, TypeError, DriftlineError)


@dataclass(slots=True)
class Learners:
    """Opens the partitions of one process."""

    policy: LearningPolicy
    codec: ModelCodec
    workshop: Workshop
    trials: Trials
    publishing: Publishing
    checkpoints: Checkpoints
    artifacts_url: str
    prefix: str
    clock: Clock
    _live: WeakSet[LearnerState] = field(default_factory=WeakSet)  # the keeper holds them

    def __post_init__(self) -> None:
        metrics.BROKEN_LINEAGES.set_function(partial(_broken, self._live))

    async def open_state(self, opening: Opening[bytes]) -> LearnerState:
        """The state of a partition, loaded in a thread."""
        while True:
            try:
                state = await self._open(opening)
            except ArtifactUnavailableError as error:
                log.warning("artifacts_unavailable", reason=str(error))
                await asyncio.sleep(RETRY_SECONDS)
            else:
                self._live.add(state)
                return state

    async def _open(self, opening: Opening[bytes]) -> LearnerState:
        topic = JOURNAL.full_name(self.prefix)
        materials: dict[str, Material] = {}
        around = Surroundings(self.policy, self.codec, materials)
        stores = Stores.of(self.artifacts_url, self.prefix, opening.partition)
        offset = opening.offsets.get(topic, 0)
        make = partial(self._state, opening.partition, materials, stores)
        if opening.payload is not None:
            try:
                document = Document.decoded(opening.payload)
                fold = await asyncio.to_thread(document.restore, around, stores)
            except ArtifactUnavailableError:
                raise
            except UNREADABLE as error:  # of another version or River; or damaged
                log.warning(
                    "state_is_rebuilt",
                    partition=opening.partition,
                    up_to=offset,
                    reason=repr(error),
                )
            else:
                return make(fold, Progress(offset, silent_below=0), document)
        done = offset if opening.payload is not None else opening.committed.get(topic, 0)
        fold, begin = await self._rebuilt(opening.partition, around, stores, done)
        return make(fold, Progress(begin, silent_below=done), None)

    def _state(
        self,
        partition: int,
        materials: dict[str, Material],
        stores: Stores,
        fold: LearningFold,
        progress: Progress,
        before: Document | None,
    ) -> LearnerState:
        return LearnerState(
            partition, fold, materials, progress,
            workshop=self.workshop, trials=self.trials, publishing=self.publishing,
            stores=stores, prefix=self.prefix, clock=self.clock, before=before,
        )  # fmt: skip

    async def _rebuilt(
        self, partition: int, around: Surroundings, stores: Stores, done: int
    ) -> tuple[LearningFold, int]:
        """What was written down of the partition, and the offset to fold on from."""
        empty = LearningFold(around), 0
        if done == 0:
            return empty
        told = [c for c in (await self.checkpoints.newest(partition)).values() if c.offset <= done]
        if not told:
            return empty
        try:
            return await asyncio.to_thread(_assembled, told, around, stores)
        except ArtifactUnavailableError:
            raise
        except UNREADABLE as error:
            log.warning("checkpoints_unusable", partition=partition, reason=repr(error))
            return empty


def _assembled(
    told: Sequence[Checkpoint], around: Surroundings, stores: Stores
) -> tuple[LearningFold, int]:
    """Blocking. Raises LookupError where one of the partition's models was not written down."""
    documents = [ModelDocument.decoded(stores.passing.get(c.artifact)) for c in told]
    there = {str(document.model["model"]) for document in documents}
    if missing := {name for document in documents for name in document.models} - there:
        raise KeyError(f"nothing was written down of {min(missing)}")
    artifacts: dict[str, bytes] = {}
    for document in documents:
        artifacts |= document.holds.read(stores)
    first = min(documents, key=lambda document: int(document.model["next"]))
    models = [document.model for document in documents]
    fold = LearningFold.restore(around, int(first.model["time"]), models, artifacts)
    return fold, int(first.model["next"])


def _broken(states: "WeakSet[LearnerState]") -> float:
    return float(sum(state.broken for state in states))
