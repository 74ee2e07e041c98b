"""Which rows does a pipeline learn, from a file or from the journal?"""

import csv
import gzip
import io
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, Self

from driftline.core.learning.features import Features, FeatureSchema, is_learnable
from driftline.core.recorded_values import feature_value, output_value
from driftline_schemas.fields import Output
from driftline_schemas.spec import FeatureKind, Task

GZIP: Final = b"\x1f\x8b"
MAX_BYTES: Final = 64 << 20  # as text; in memory it takes up to ten times as much
Row = tuple[Features, Output]


class UnusableRowsError(ValueError):
    """Nothing can be learned from these; the message is one sentence."""


class Rows(Protocol):
    """Rows as a pipeline sees them, made when asked for."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> Row: ...


@dataclass(frozen=True, slots=True)
class Table:
    """A file: names of its columns, and its fields as text."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Recorded:
    """Joined records of the journal: features as they were recorded, and labels."""

    rows: Sequence[tuple[Mapping[str, object], Output]]


def read_table(payload: bytes) -> Table:
    """The table in the bytes of a .csv or .csv.gz. Raises UnusableRowsError."""
    try:
        reader = csv.reader(io.StringIO(_text(payload), newline=""))
        header = next(reader, [])
        rows = [row for row in reader if row]
    except csv.Error as error:
        raise UnusableRowsError(f"the file is no CSV: {error}") from None
    if any(len(row) != len(header) for row in rows):
        raise UnusableRowsError("a row of the file is not as wide as its header")
    return Table(header, rows)


def _text(payload: bytes) -> str:
    raw = payload
    if payload.startswith(GZIP):
        try:
            raw = gzip.GzipFile(fileobj=io.BytesIO(payload)).read(MAX_BYTES + 1)
        except (OSError, EOFError, zlib.error):
            raise UnusableRowsError("the file is no whole gzip") from None
    if len(raw) > MAX_BYTES:
        raise UnusableRowsError(f"the file has more than {MAX_BYTES >> 20} MB of text")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UnusableRowsError("the file is not UTF-8") from None


@dataclass(frozen=True, slots=True)
class FileRows:
    """The rows of a table that have a label."""

    table: Table
    schema: FeatureSchema
    task: Task
    label: int  # its column
    columns: Sequence[tuple[str, FeatureKind, int]]
    labelled: Sequence[int]

    @classmethod
    def of(cls, table: Table, schema: FeatureSchema, task: Task, label: str) -> Self:
        """Raises UnusableRowsError where a column is missing or no row has a label."""
        places = {name: place for place, name in enumerate(table.header)}
        missing = [name for name in (label, *dict(schema.kinds)) if name not in places]
        if missing:
            raise UnusableRowsError(f"the file has no column {missing[0]!r}")
        columns = [(name, kind, places[name]) for name, kind in schema.kinds]
        labelled = [i for i, row in enumerate(table.rows) if row[places[label]] != ""]
        if not labelled:
            raise UnusableRowsError(f"no row of the file has a label in column {label!r}")
        rows = cls(table, schema, task, places[label], columns, labelled)
        rows._check_labels()
        return rows

    def _check_labels(self) -> None:
        for number in self.labelled if self.task == "regression" else ():
            label = output_value(self.task, self.table.rows[number][self.label])
            if isinstance(label, str) or not is_learnable(label):
                raise UnusableRowsError(
                    f"row {number + 1} of the file has a label that is no number up to 1e15"
                )

    def __len__(self) -> int:
        return len(self.labelled)

    def __getitem__(self, index: int, /) -> Row:
        fields = self.table.rows[self.labelled[index]]
        recorded = {name: feature_value(kind, fields[place]) for name, kind, place in self.columns}
        return self.schema.canonical(recorded), output_value(self.task, fields[self.label])


def _is_of(task: Task, label: Output) -> bool:
    if isinstance(label, str):
        return task != "regression"
    return task == "regression" and is_learnable(label)


@dataclass(frozen=True, slots=True)
class JournalRows:
    """Joined records whose label is of the task's kind."""

    rows: Sequence[tuple[Mapping[str, object], Output]]
    schema: FeatureSchema

    @classmethod
    def of(cls, recorded: Recorded, schema: FeatureSchema, task: Task) -> Self:
        """Raises UnusableRowsError where there is none."""
        rows = [row for row in recorded.rows if _is_of(task, row[1])]
        if not rows:
            raise UnusableRowsError("that range of the journal has no label of the model")
        return cls(rows, schema)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int, /) -> Row:
        features, label = self.rows[index]
        return self.schema.canonical(features), label
