"""What is to learn again, on which rows, and what has become of it?"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from driftline.core.learning.hours import HourIndex
from driftline.core.learning.materials import (
    REFUSALS,
    Failure,
    FileNeed,
    RangeNeed,
)
from driftline.core.learning.plans import Plan
from driftline.core.learning.retraining import Job
from driftline.core.learning.surroundings import Surroundings
from driftline.core.learning.training import Training, TrainingFailedError
from driftline.core.learning.versions import Dumped
from driftline_schemas.control import RetrainControl, ScheduleControl

Asked = RetrainControl | ScheduleControl


class Finished(NamedTuple):
    """A job that is done, or cannot be."""

    job: Job
    made: Dumped | Failure


@dataclass(slots=True)
class Jobs:
    """Those of one model: at most one per pipeline, the one that was asked for last."""

    model: str
    around: Surroundings
    hours: HourIndex
    open: list[Job] = field(default_factory=list)

    def ask(self, plan: Plan, offset: int, time: int, record: Asked) -> None:
        """A pipeline is to learn again, by the record at `offset`."""
        passes = record.body.passes if isinstance(record, RetrainControl) else 1
        need = self.rows_of(offset, time, record, self.hours)
        self.open = [job for job in self.open if job.plan.pipeline != plan.pipeline]
        self.open.append(Job(record.seq, plan, need, passes, time))

    def rows_of(
        self, offset: int, time: int, record: Asked, hours: HourIndex
    ) -> FileNeed | RangeNeed:
        """What it learns; without a file or a range, the model's records of the last horizon."""
        if isinstance(record, RetrainControl):
            if record.body.artifact is not None:
                return FileNeed(record.body.artifact)
            if not isinstance(record.body.source, str):
                first, last = record.body.source
                return RangeNeed(self.model, first, min(last, offset - 1))
        return RangeNeed(self.model, hours.since(time), offset - 1)

    def needs(self, upcoming: Sequence[tuple[int, int, object]]) -> Iterator[FileNeed | RangeNeed]:
        """Rows that must be there before these records (offset, time) are folded in."""
        yield from (job.need for job in self.open)
        hours = self.hours.copy()
        for offset, time, record in upcoming:
            hours.note(time, offset)
            if isinstance(record, RetrainControl | ScheduleControl):
                yield self.rows_of(offset, time, record, hours)

    def work(self, time: int) -> Iterator[Finished]:
        """A record of the partition, at this time (ms), pays for some rows of each."""
        for job in list(self.open):
            job.earn(time)
            made = self._worked(job)
            if made is not None:
                self.open.remove(job)
                yield Finished(job, made)

    def _worked(self, job: Job) -> Dumped | Failure | None:
        try:
            training = self._training(job)
            if isinstance(training, Failure):
                return training
            training.learn(job.earned)
        except (*REFUSALS, TrainingFailedError) as error:
            return Failure(str(error))
        return self._written(training) if job.earned >= training.total else None

    def _training(self, job: Job) -> Training | Failure:
        material = self.around.materials[job.need.key]
        if isinstance(material, Failure):
            return material
        assert not isinstance(material, Dumped)  # noqa: S101 - by its key
        return job.open(material, self.around.codec, self.around.policy.chances)

    def _written(self, training: Training) -> Dumped | Failure:
        try:
            return self.around.codec.dump(training.model)
        except Exception as error:  # noqa: BLE001 - River's objects are written by any code
            return Failure(f"cannot be written: {error!r}")

    def snapshot(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        """The state for JSON, and bytes by sha256."""
        jobs = [job.snapshot(self.around.codec) for job in self.open]
        artifacts = {digest: raw for _, kept in jobs for digest, raw in kept.items()}
        hours = [list(first) for first in self.hours.firsts]
        return {"jobs": [row for row, _ in jobs], "hours": hours}, artifacts

    @classmethod
    def restore(
        cls,
        model: str,
        around: Surroundings,
        plans: Mapping[str, Plan],
        state: Mapping[str, Any],
        artifacts: Mapping[str, bytes],
    ) -> "Jobs":
        """The state that `snapshot` gave."""
        firsts = [(hour, offset) for hour, offset in state["hours"]]
        jobs = cls(model, around, HourIndex(around.policy.horizon_ms, firsts))
        for row in state["jobs"]:
            jobs.open.append(Job.restore(row, model, plans[row["pipeline"]], artifacts))
        return jobs
