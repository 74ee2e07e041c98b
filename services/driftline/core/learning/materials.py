"""What must be fetched or made outside before a record of the journal can be folded in?"""

from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from driftline.core.learning.plans import Plan, Source
from driftline.core.learning.refusal import PipelineRefusedError
from driftline.core.learning.rows import (
    FileRows,
    Recorded,
    Table,
    UnusableRowsError,
    read_table,
)
from driftline.core.learning.training import Chances, Training
from driftline.core.learning.versions import Dumped
from driftline_schemas.registry import Artifact


@dataclass(frozen=True, slots=True)
class FileNeed:
    """The rows of a file."""

    artifact: Artifact

    @property
    def key(self) -> str:
        return f"file:{self.artifact.sha256}"


@dataclass(frozen=True, slots=True)
class RangeNeed:
    """The joined records of a model in a range of its journal (offsets, both inclusive)."""

    model: str
    first: int
    last: int

    @property
    def key(self) -> str:
        return f"journal:{self.first}-{self.last}:{self.model}"


@dataclass(frozen=True, slots=True)
class ModelNeed:
    """A model that has learned its file."""

    plan: Plan
    source: Source

    @property
    def key(self) -> str:
        return f"made:{self.plan.definition}"


class Failure(NamedTuple):
    """What was needed cannot be had, now or ever; one sentence."""

    reason: str


Need = FileNeed | RangeNeed | ModelNeed
Material = Dumped | Table | Recorded | Failure


class Materials(Protocol):
    """What was fetched and made, by key of its need."""

    def __getitem__(self, key: str, /) -> Material: ...


def begin_training(need: ModelNeed, payload: bytes, chances: Chances) -> Training:
    """The training that makes a model of its file's bytes. Raises UnusableRowsError and
    PipelineRefusedError."""
    plan, source = need.plan, need.source
    rows = FileRows.of(read_table(payload), plan.schema, plan.task, source.label)
    chance = None if source.seed is None else chances(source.seed)
    return Training(plan.build().model, rows, source.passes, chance)


REFUSALS: Final = (UnusableRowsError, PipelineRefusedError)
