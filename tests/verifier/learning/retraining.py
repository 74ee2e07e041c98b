"""A pipeline that learns again, while its model goes on: when does it begin?

Each record of the partition pays for rows: a fifth of one for each millisecond since the record
before, at most a thousand. Once all rows of all passes are paid for, it begins behind that record.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from tests.verifier.learning.plans import Files, Json, Plan
from tests.verifier.learning.rows import Row, is_learnable, seen

ROWS_PER_MS, MOST_ROWS = 0.2, 1_000
HOUR_MS = 3_600_000


class RecordedRow(NamedTuple):
    """A joined record of the journal, which may be a repeat of another."""

    offset: int
    label_tp: tuple[int, int]
    features: Json
    label: Any


def source_of(body: Json, begin: int, offset: int) -> Json:
    """What is learned by a control record at an offset, as a recipe names it; without a file or a
    range it is the horizon, which begins at `begin`."""
    if body.get("artifact") is not None:
        return {"file": body["artifact"]["sha256"]}
    if isinstance(body.get("from"), list):
        first, last = body["from"]
        return {"journal": [first, min(last, offset - 1)]}
    return {"journal": [begin, offset - 1]}


@dataclass(slots=True)
class Job:
    """It learns again because of fact `seq`. `time` (ms) is that of the last record that paid."""

    seq: int
    plan: Plan
    source: Json
    passes: int
    time: int
    budget: float = 0.0
    paid: int = 0
    rows: list[Row] | None = None

    @property
    def lineage(self) -> str:
        """What it becomes."""
        return f"{self.plan.pipeline}@{self.seq}"

    @property
    def origin(self) -> Json:
        """As its recipe names it."""
        origin = {**self.source, "passes": self.passes, "fact": self.seq}
        if "file" in self.source:
            origin["label"] = self.plan.label
        return origin if self.plan.seed is None else {**origin, "seed": self.plan.seed}

    def earn(self, time: int) -> None:
        """One more record, at this time (ms)."""
        self.budget = min(self.budget + (time - self.time) * ROWS_PER_MS, MOST_ROWS)
        self.time = time
        self.paid += int(self.budget)
        self.budget -= int(self.budget)

    def trained(self, files: Files, recorded: Sequence[RecordedRow]) -> Any:
        """The model once it is paid for; None before."""
        if self.rows is None:
            self.rows = self._rows(files, recorded)
        if not self.rows:
            raise ValueError("there is no row to learn")
        if self.paid < len(self.rows) * self.passes:
            return None
        return self.plan.trained(self.rows, self.passes)

    def _rows(self, files: Files, recorded: Sequence[RecordedRow]) -> list[Row]:
        if "file" in self.source:
            return self.plan.rows(files(self.source["file"]))
        first, last = self.source["journal"]
        within = [row for row in reversed(recorded) if first <= row.offset <= last]
        once = {row.label_tp: row for row in within}  # the first of each
        return [
            (seen(row.features, self.plan.kinds), row.label)
            for row in sorted(once.values(), key=lambda row: row.offset)
            if isinstance(row.label, str) != self.plan.numeric and is_learnable(row.label)
        ]
