"""Read rows from Parquet as text, as a CSV file would have them. Needs the extra `parquet`."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from pyarrow import parquet, types

from driftline.cli.errors import CommandError

BATCH_ROWS: Final = 1_000
# Both, or a row group is in memory as a whole: 20 MB at most instead of 184 for one of 160 MB.
SPARING: Final = {"buffer_size": 1 << 16, "pre_buffer": False}

# How a value of a type is written; types that are not here cannot be read.
Test = Callable[[Any], bool]
WRITTEN: Final[tuple[tuple[Test, Callable[[Any], str]], ...]] = (
    (types.is_boolean, lambda value: "true" if value else "false"),
    (types.is_integer, str),
    (types.is_floating, lambda value: repr(float(value))),
    (types.is_decimal, lambda value: format(value, "f")),
    (types.is_string, str),
    (types.is_large_string, str),
    (types.is_string_view, str),
    (types.is_date, lambda value: value.isoformat()),
    (types.is_time, lambda value: value.isoformat()),
    (types.is_timestamp, lambda value: _instant(value)),
    (types.is_null, str),
)


def header_of(path: Path) -> list[str]:
    """The names of its columns. CommandError: it cannot be read."""
    with _opened(path) as file:
        return list(file.schema_arrow.names)


def rows_of(path: Path, columns: Collection[str]) -> Iterator[dict[str, str]]:
    """The rows as column -> text, a batch in memory at a time; missing values are empty.

    CommandError: a column that holds more than plain values, or a file that is broken.
    """
    with _opened(path) as file:
        writers = {name: _writer(path, file.schema_arrow.field(name)) for name in columns}
        for batch in file.iter_batches(BATCH_ROWS, columns=list(columns)):
            texts = [_texts(batch.column(name), write) for name, write in writers.items()]
            for row in zip(*texts, strict=True):
                yield dict(zip(writers, row, strict=True))


def count_of(path: Path) -> int:
    """How many rows it says it has."""
    with _opened(path) as file:
        return int(file.metadata.num_rows)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    with path.open("rb") as raw:
        try:
            with parquet.ParquetFile(raw, **SPARING) as file:
                yield file
        except (pa.ArrowException, OSError) as error:
            why = str(error).splitlines()[0].removesuffix(".")
            raise CommandError(f"{path} is no whole Parquet file: {why}.") from None


def _writer(path: Path, column: Any) -> Callable[[Any], str]:
    kind = column.type.value_type if types.is_dictionary(column.type) else column.type
    for fits, write in WRITTEN:
        if fits(kind):
            return write
    raise CommandError(
        f"{path}: column {column.name!r} holds {column.type}, and only numbers, texts, booleans,"
        " dates and times can be read: flatten it or leave it out."
    )


def _texts(column: Any, write: Callable[[Any], str]) -> list[str]:
    if types.is_timestamp(column.type):  # Python knows no nanoseconds; without a zone it is UTC
        column = column.cast(pa.timestamp("us", "UTC"), safe=False)
    return ["" if value is None else write(value) for value in column.to_pylist()]


def _instant(value: datetime) -> str:
    return value.isoformat().replace("+00:00", "Z")
