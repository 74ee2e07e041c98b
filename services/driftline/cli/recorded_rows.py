"""Which columns of a file are features, prediction and label, and what their text means."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from driftline.cli.replay import Row
from driftline.cli.tables import read_rows
from driftline.core.recorded_values import TRUTH, feature_value, output_value
from driftline_schemas.spec import FeatureKind, Task

LOOKED_AT: Final = 1_000  # rows that tell the kind of a column when no spec does


@dataclass(frozen=True, slots=True)
class Columns:
    """The roles of a file's columns. Without one of predictions, a scorer is asked for them."""

    kinds: Mapping[str, FeatureKind]
    prediction: str | None
    label: str | None
    task: Task

    def needed(self) -> list[str]:
        return [*self.kinds, *filter(None, (self.prediction, self.label))]


def recorded_rows(path: Path, columns: Columns) -> Iterator[Row]:
    """The rows of the file, numbered from 0; a row without a label text never gets its label."""
    for number, fields in enumerate(read_rows(path, columns.needed())):
        text = fields[columns.label] if columns.label else ""
        yield Row(
            number=number,
            features={
                name: feature_value(kind, fields[name]) for name, kind in columns.kinds.items()
            },
            prediction=output_value(columns.task, fields[columns.prediction])
            if columns.prediction
            else None,
            label=output_value(columns.task, text) if text else None,
        )


def guessed_kinds(path: Path, leave_out: Sequence[str]) -> dict[str, FeatureKind]:
    """The kinds of all other columns, by their first 1,000 rows."""
    rows = list(islice(read_rows(path, leave_out), LOOKED_AT))
    names = [name for name in (rows[0] if rows else {}) if name not in leave_out]
    return {name: _kind([row[name] for row in rows if row[name]]) for name in names}


def _kind(texts: Sequence[str]) -> FeatureKind:
    if all(isinstance(feature_value("numeric", text), float) for text in texts):
        return "numeric"
    return "boolean" if all(text.strip().lower() in TRUTH for text in texts) else "categorical"
