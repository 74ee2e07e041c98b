"""A file of the user's as a stream: which column is what, and which rows are known?

The first 30 % of the rows, at most 1,800, are known before the start. What a column is, is told by
its values; columns that only number or date the rows are left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from math import isfinite
from pathlib import Path
from typing import Any, Final

from driftline.cli.errors import CommandError, close_to
from driftline.cli.recorded_rows import kind_of, recorded_time
from driftline.cli.replay import in_ids
from driftline.cli.tables import read_rows, stem
from driftline.core.recorded_values import feature_value, output_value
from driftline.demo.stream import LABEL_DELAY, Stream
from driftline_schemas.fields import Output
from driftline_schemas.spec import PREDICTION_SCOPE, FeatureKind, Task

ROWS: Final = 6_000  # with 4,200 played, as long as the demo's own stream
LEAST_ROWS: Final = 5 * LABEL_DELAY
KNOWN_SHARE: Final = 0.3
MOST_KNOWN: Final = 1_800
MOST_CLASSES: Final = 30
MOST_ROTATED: Final = 6
FAULTY_SHARE: Final = 0.4
Texts = Sequence[str]


@dataclass(frozen=True, slots=True)
class OwnRows:
    """A .csv, .csv.gz or .parquet, its label column (None: the last), how many rows to use, and
    columns that are no features."""

    file: Path
    label: str | None = None
    rows: int = ROWS
    left_out: Sequence[str] = ()


def own_stream(source: OwnRows) -> Stream:
    """The stream in a file. CommandError: nothing can be learned from it."""
    rows = list(islice(read_rows(source.file, ()), source.rows))
    label = _label(source, rows)
    known = min(int(KNOWN_SHARE * len(rows)), MOST_KNOWN)
    task = task_of(source.file, label, [row[label] for row in rows], known)
    columns = {name: [row[name] for row in rows] for name in rows[0] if name != label}
    all_kinds = {name: kind_of(texts) for name, texts in columns.items()}
    left_out = {
        name: why for name, kind in all_kinds.items() if (why := no_feature(name, kind, columns))
    } | dict.fromkeys(_unwanted(source, label, columns), "you said so")
    kinds = {name: kind for name, kind in all_kinds.items() if name not in left_out}
    if not kinds:
        raise CommandError(f"{source.file} has no feature beside the label {label!r}.")
    streamed = len(rows) - known
    numeric = [name for name, kind in kinds.items() if kind == "numeric"]
    return Stream(
        model=in_ids(stem(source.file)),
        task=task,
        kinds=kinds,
        label=label,
        rows=[(_features(kinds, row), _truth(task, row[label])) for row in rows],
        known=known,
        rotated=numeric[:MOST_ROTATED],
        faulty_rows=int(FAULTY_SHARE * streamed),
        left_out=left_out,
    )


def _label(source: OwnRows, rows: Sequence[Mapping[str, str]]) -> str:
    """The name of the label column of a file that is large enough."""
    if not rows:
        raise CommandError(f"{source.file} has no rows.")
    names = list(rows[0])
    label = source.label or names[-1]
    _check_column(source.file, label, names)
    if len(names) == 1:
        raise CommandError(f"{source.file} has one column only: a label needs features beside it.")
    if len(rows) < LEAST_ROWS:
        raise CommandError(
            f"{len(rows):,} rows of {source.file} are too few, the demo needs {LEAST_ROWS:,}:"
            f" {KNOWN_SHARE:.0%} are learned before the start, and labels come {LABEL_DELAY} rows"
            " late."
        )
    return label


def _unwanted(source: OwnRows, label: str, columns: Mapping[str, Texts]) -> Sequence[str]:
    """The columns to leave out, all of them there."""
    if label in source.left_out:
        raise CommandError(f"Column {label!r} is the label: it cannot be left out.")
    for name in source.left_out:
        _check_column(source.file, name, list(columns))
    return source.left_out


def _check_column(file: Path, name: str, names: list[str]) -> None:
    if name not in names:
        hint = close_to(name, names) or f": it has {', '.join(names[:12])}."
        raise CommandError(f"{file} has no column {name!r}{hint}")


def task_of(file: Path, label: str, texts: Texts, known: int) -> Task:
    """Two values are binary; up to 30 texts or whole numbers are classes; other numbers are
    regression. CommandError: one value only, or texts that are no classes."""
    values = {output_value("multiclass", text) for text in texts if text}
    if len({text for text in texts[:known] if text}) < 2:
        raise CommandError(
            f"Column {label!r} of {file} has fewer than two different values in its first"
            f" {known:,} rows: name the label's column with --label."
        )
    numbers = [output_value("regression", str(value)) for value in values]
    finite = [n for n in numbers if isinstance(n, float) and isfinite(n)]
    are_numbers = len(finite) == len(numbers)
    if len(values) == 2:
        return "binary"
    if len(values) <= MOST_CLASSES and not (are_numbers and any(n % 1 for n in finite)):
        return "multiclass"
    if are_numbers:
        return "regression"
    raise CommandError(
        f"Column {label!r} of {file} has {len(values):,} different texts, too many for classes:"
        " name the label's column with --label."
    )


def no_feature(name: str, kind: FeatureKind, columns: Mapping[str, Texts]) -> str | None:
    """Why a column is no feature; None if it may be one."""
    texts = [text for text in columns[name] if text]
    if name == PREDICTION_SCOPE:
        return "verdicts use its name"
    if not texts:
        return "it is empty"
    if kind == "numeric" and all(float(a) < float(b) for a, b in pairwise(texts)):
        return "it only rises, as row numbers do"
    if kind == "categorical" and len(set(texts)) == len(texts):
        return "all its texts differ, as ids do"
    if kind == "categorical" and all(recorded_time(text) for text in texts):
        return "it holds times"
    return None


def _features(kinds: Mapping[str, FeatureKind], row: Mapping[str, str]) -> dict[str, Any]:
    values = {name: feature_value(kind, row[name]) for name, kind in kinds.items()}
    odd = {name: None for name, v in values.items() if isinstance(v, float) and not isfinite(v)}
    return {**values, **odd}  # JSON has no NaN


def _truth(task: Task, text: str) -> Output | None:
    return output_value(task, text) if text else None
