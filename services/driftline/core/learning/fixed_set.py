"""How does a version do on rows that never change?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from driftline.core.learning.binary import OnlineModel, class_of
from driftline.core.learning.features import FeatureSchema
from driftline.core.learning.materials import FileNeed
from driftline.core.learning.rows import FileRows, Row, Table, UnusableRowsError
from driftline_schemas.control import SpecBody
from driftline_schemas.registry import TestSetResult
from driftline_schemas.spec import Task

MOST_ROWS: Final = 10_000  # each version predicts them all


@dataclass(frozen=True, slots=True)
class FixedSet:
    """The test set of a specification: a file, its label column, and the least accuracy."""

    name: str
    need: FileNeed
    label: str
    floor: float | None
    schema: FeatureSchema
    task: Task

    @classmethod
    def of(cls, body: SpecBody) -> "FixedSet | None":
        """None if the specification has no test set, or does not say where its bytes lie."""
        spec, wanted = body.spec, body.spec.test_set
        artifact = (body.files or {}).get(wanted.file) if wanted else None
        if wanted is None or artifact is None:
            return None
        label = spec.label_column(wanted) or ""
        schema = FeatureSchema.of(spec.features)
        return cls(wanted.file, FileNeed(artifact), label, wanted.floor, schema, spec.task)

    def rows(self, table: Table) -> Sequence[Row]:
        """Those of the file as a pipeline sees them. Raises UnusableRowsError."""
        rows = FileRows.of(table, self.schema, self.task, self.label)
        if len(rows) > MOST_ROWS:
            raise UnusableRowsError(f"a test set has at most {MOST_ROWS:,} rows with a label")
        return [rows[index] for index in range(len(rows))]

    def result(self, rows: Sequence[Row], model: OnlineModel) -> TestSetResult:
        """The share that it predicts right; a row that it has no prediction for is wrong."""
        right = sum(class_of(model, features) == label for features, label in rows)
        return TestSetResult(
            name=self.name,
            sha256=self.need.artifact.sha256,
            value=right / len(rows),
            floor=self.floor,
        )

    def is_passed(self, result: TestSetResult | None) -> bool:
        """Whether a version with this result may serve without being asked for."""
        return result is not None and (self.floor is None or result.value >= self.floor)
