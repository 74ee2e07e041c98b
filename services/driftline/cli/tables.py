"""Read rows as text: .csv and .csv.gz (UTF-8, a header, every row as wide as it) and .parquet."""

import csv
import gzip
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from driftline.cli.errors import CommandError, close_to

MAX_ROW: Final = 10_000_000  # characters; a small .gz may hold a line without an end
PARQUET: Final = ".parquet"


def read_rows(path: Path, columns: Collection[str]) -> Iterator[dict[str, str]]:
    """The rows as column -> text: the columns that are named and perhaps more, or all if none is.
    CommandError: no such file or columns, or a row that is broken.

    The header is read at once, so a wrong column is told before the first row.
    """
    if is_parquet(path):
        return _parquet_rows(path, columns)
    with _faults(path), _open(path) as file:
        _, header = next(_parsed(path, file), (0, []))
    _check_header(path, header, columns)
    return _rows(path, header)


def count_rows(path: Path) -> int:
    """How many rows `read_rows` gives."""
    if is_parquet(path):
        from driftline.cli.parquet import count_of

        with _faults(path):
            return count_of(path)
    with _faults(path), _open(path) as file:
        return max(0, sum(1 for _, row in _parsed(path, file) if row) - 1)


def stem(path: Path) -> str:
    """The file's name without .csv, .csv.gz or .parquet."""
    return path.name.removesuffix(".gz").removesuffix(".csv").removesuffix(PARQUET)


def is_parquet(path: Path) -> bool:
    """Whether its name says so."""
    return path.name.endswith(PARQUET)


def _parquet_rows(path: Path, columns: Collection[str]) -> Iterator[dict[str, str]]:
    # pyarrow comes with the extra `parquet`; CSV does without.
    from driftline.cli.parquet import header_of, rows_of

    with _faults(path):
        header = header_of(path)
    _check_header(path, header, columns)
    return _guarded(path, rows_of(path, list(dict.fromkeys(columns)) or header))


def _guarded(path: Path, rows: Iterator[dict[str, str]]) -> Iterator[dict[str, str]]:
    with _faults(path):
        yield from rows


def _rows(path: Path, header: list[str]) -> Iterator[dict[str, str]]:
    with _faults(path), _open(path) as file:
        parsed = _parsed(path, file)
        next(parsed)
        for line, row in parsed:
            if not row:
                continue  # a blank line, often the last
            if len(row) != len(header):
                raise CommandError(
                    f"{path}, line {line}: {len(row)} fields instead of {len(header)}."
                )
            yield dict(zip(header, row, strict=True))


@dataclass(slots=True)
class _Lines:
    """A file's lines, of which one row may take `left` characters before it is refused."""

    path: Path
    file: IO[str]
    left: int = MAX_ROW

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self.file.readline(self.left)
        self.left -= len(line)
        if not line:
            raise StopIteration
        if self.left <= 0:
            raise CommandError(f"{self.path} has a row of {MAX_ROW:,} characters or more.")
        return line


def _parsed(path: Path, file: IO[str]) -> Iterator[tuple[int, list[str]]]:
    """Each row with the number of its last line."""
    lines = _Lines(path, file)
    reader = csv.reader(lines)
    for row in reader:
        lines.left = MAX_ROW
        yield reader.line_num, row


def _check_header(path: Path, header: list[str], columns: Collection[str]) -> None:
    if not header:
        raise CommandError(f"{path} is empty: its first line must name the columns.")
    for name in columns:
        if name not in header:
            hint = close_to(name, header) or f": it has {_listed(header)}."
            raise CommandError(f"{path} has no column {name!r}{hint}")
    if twice := sorted({name for name in header if header.count(name) > 1}):
        raise CommandError(f"{path} has the column {twice[0]!r} twice.")


def _listed(names: list[str]) -> str:
    return ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")


def _open(path: Path) -> IO[str]:
    csv.field_size_limit(MAX_ROW)
    if path.name.endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


@contextmanager
def _faults(path: Path) -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError:
        raise CommandError(f"{path} is not UTF-8.") from None
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise CommandError(f"{path} is no whole gzip file.") from None
    except OSError as error:
        raise CommandError(f"Cannot read {path}: {error.strerror or error}.") from None
    except csv.Error as error:
        raise CommandError(f"{path} is not CSV: {error}.") from None
