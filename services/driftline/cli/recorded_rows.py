"""Which columns of a file are features, prediction and label, and what their text means."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Final

from driftline.cli.errors import CommandError
from driftline.cli.replay import Row
from driftline.cli.tables import read_rows
from driftline.core.recorded_values import TRUTH, feature_value, output_value
from driftline_schemas.spec import FeatureKind, Task

LOOKED_AT: Final = 1_000  # rows that tell the kind of a column when no spec does


@dataclass(frozen=True, slots=True)
class Columns:
    """The roles of a file's columns. Without one of predictions, a scorer is asked for them; with a
    `key` the labels come from another file; without `predicted_at` the time is that of the replay.
    """

    kinds: Mapping[str, FeatureKind]
    prediction: str | None
    label: str | None
    task: Task
    key: str | None = None
    predicted_at: str | None = None

    def others(self) -> list[str]:
        """Those that the file must have and that are no features."""
        label = None if self.key else self.label
        return list(filter(None, (self.prediction, label, self.key, self.predicted_at)))


def recorded_rows(
    path: Path, columns: Columns, labels: Mapping[str, str] | None = None
) -> Iterator[Row]:
    """The rows of the file, numbered from 0; a row without a label text never gets its label.

    labels: label text by key, if the columns name a `key`.
    """
    rows = read_rows(path, [*columns.kinds, *columns.others()])
    return (_row(path, number, fields, columns, labels) for number, fields in enumerate(rows))


def _row(
    path: Path,
    number: int,
    fields: Mapping[str, str],
    columns: Columns,
    labels: Mapping[str, str] | None,
) -> Row:
    text = ""
    if columns.key is not None:
        text = (labels or {}).get(fields[columns.key], "")
    elif columns.label is not None:
        text = fields[columns.label]
    at = columns.predicted_at
    if at is not None and (time := recorded_time(fields[at])) is None:
        raise CommandError(
            f"{path}, row {number}: {fields[at]!r} in column {at!r} is no time: write for example"
            " 2026-11-26 or 2026-11-26T08:30:00Z."
        )
    return Row(
        number=number,
        features={name: feature_value(kind, fields[name]) for name, kind in columns.kinds.items()},
        prediction=output_value(columns.task, fields[columns.prediction])
        if columns.prediction
        else None,
        label=output_value(columns.task, text) if text else None,
        predicted_at=None if at is None else time,
    )


@lru_cache(maxsize=4_096)  # neighbouring rows often share their day
def recorded_time(text: str) -> datetime | None:
    """A date or time in ISO 8601, UTC where it names no offset; None if it is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def labels_by_key(path: Path, key: str, label: str) -> dict[str, str]:
    """The label text of each key; rows without one are left out.

    CommandError: no such columns, or two labels for one key.
    """
    labels: dict[str, str] = {}
    for fields in read_rows(path, (key, label)):
        text = fields[label]
        if text and labels.setdefault(fields[key], text) != text:
            raise CommandError(f"{path} has two labels for {key} {fields[key]}.")
    return labels


def guessed_kinds(path: Path, leave_out: Collection[str]) -> dict[str, FeatureKind]:
    """The kinds of all other columns, by their first 1,000 rows."""
    rows = list(islice(read_rows(path, ()), LOOKED_AT))
    names = [name for name in (rows[0] if rows else {}) if name not in leave_out]
    return {name: kind_of([row[name] for row in rows]) for name in names}


def kind_of(texts: Sequence[str]) -> FeatureKind:
    """The kind that all of a column's values fit, missing ones aside."""
    given = [text for text in texts if text]
    if all(isinstance(feature_value("numeric", text), float) for text in given):
        return "numeric"
    return "boolean" if all(text.strip().lower() in TRUTH for text in given) else "categorical"
