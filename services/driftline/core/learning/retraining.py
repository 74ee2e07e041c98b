"""How does a pipeline learn again beside the live lineages, without stalling them?

By log time: each record of the partition pays for some rows, so that where the training ends is a
function of the journal, however fast this process is.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from driftline.core.learning.materials import FileNeed, RangeNeed
from driftline.core.learning.plans import Plan
from driftline.core.learning.rows import FileRows, JournalRows, Recorded, Table, UnusableRowsError
from driftline.core.learning.training import Chances, Training
from driftline.core.learning.versions import Dumped, Manifest, ModelCodec
from driftline_schemas.registry import Artifact

ROWS_PER_MS: Final = 0.2
MOST_ROWS: Final = 1_000  # per record, however long the log was silent before it


@dataclass(slots=True)
class Job:
    """A pipeline that learns again because of fact `seq`. `earned` rows are paid for; `time` (ms)
    is that of the record that paid last."""

    seq: int
    plan: Plan
    need: FileNeed | RangeNeed
    passes: int
    time: int
    budget: float = 0.0
    earned: int = 0
    training: Training | None = None
    _live: tuple[Manifest, bytes, int] | None = None  # of a restored job, until its rows are there

    @property
    def lineage(self) -> str:
        """The name of what it becomes."""
        return f"{self.plan.pipeline}@{self.seq}"

    @property
    def origin(self) -> dict[str, Any]:
        """What the recipe says of it."""
        source = (
            {"file": self.need.artifact.sha256, "label": self.plan.label}
            if isinstance(self.need, FileNeed)
            else {"journal": [self.need.first, self.need.last]}
        )
        seed = {} if self.plan.seed is None else {"seed": self.plan.seed}
        return {**source, **seed, "passes": self.passes, "fact": self.seq}

    def open(self, material: Table | Recorded, codec: ModelCodec, chances: Chances) -> Training:
        """Its training, on these rows. Raises UnusableRowsError and PipelineRefusedError."""
        if self.training is None:
            chance = None if self.plan.seed is None else chances(self.plan.seed)
            rows = self._rows(material)
            if self._live is None:
                self.training = Training(self.plan.build().model, rows, self.passes, chance)
            else:
                manifest, payload, done = self._live
                model = codec.load(payload, manifest)
                self.training = Training(model, rows, self.passes, chance, done)
        return self.training

    def _rows(self, material: Table | Recorded) -> FileRows | JournalRows:
        plan = self.plan
        if isinstance(material, Recorded):
            return JournalRows.of(material, plan.schema, plan.task)
        if plan.label is None:
            raise UnusableRowsError("the specification does not say which column is the label")
        return FileRows.of(material, plan.schema, plan.task, plan.label)

    def earn(self, time: int) -> None:
        """The log has come to this time (ms)."""
        self.budget = min(self.budget + (time - self.time) * ROWS_PER_MS, MOST_ROWS)
        self.time = max(self.time, time)
        rows = int(self.budget)
        self.budget -= rows
        self.earned += rows

    def earned_after(self, times: Iterable[int]) -> int:
        """What will be paid for once the log has come to these times, one after the other."""
        ahead = Job(
            self.seq, self.plan, self.need, self.passes, self.time, self.budget, self.earned
        )
        for time in times:
            ahead.earn(max(time, ahead.time))
        return ahead.earned

    def snapshot(self, codec: ModelCodec) -> tuple[dict[str, Any], dict[str, bytes]]:
        """Its state as JSON types, and bytes by sha256."""
        live, done = self._dumped(codec)
        file = self.need.artifact.model_dump() if isinstance(self.need, FileNeed) else None
        row = {
            "seq": self.seq,
            "pipeline": self.plan.pipeline,
            "file": file,
            "range": None if isinstance(self.need, FileNeed) else [self.need.first, self.need.last],
            "passes": self.passes,
            "place": [self.time, self.budget, self.earned, done],
            "live": live and live.manifest.row(),
        }
        return row, {} if live is None else {live.manifest.sha256: live.payload}

    def _dumped(self, codec: ModelCodec) -> tuple[Dumped | None, int]:
        if self.training is not None:
            try:
                return codec.dump(self.training.model), self.training.done
            except Exception:  # noqa: BLE001 - then it begins anew, and comes to the same
                return None, 0
        if self._live is None:
            return None, 0
        manifest, payload, done = self._live
        return Dumped(payload, manifest), done

    @classmethod
    def restore(
        cls, row: Mapping[str, Any], model: str, plan: Plan, artifacts: Mapping[str, bytes]
    ) -> Self:
        """The job that `snapshot` gave; its rows must be fetched again."""
        need: FileNeed | RangeNeed = (
            RangeNeed(model, *row["range"])
            if row["file"] is None
            else FileNeed(Artifact.model_validate(row["file"]))
        )
        time, budget, earned, done = row["place"]
        job = cls(row["seq"], plan, need, row["passes"], time, budget, earned)
        if row["live"] is not None:
            manifest = Manifest(**row["live"])
            job._live = manifest, artifacts[manifest.sha256], done
        return job
