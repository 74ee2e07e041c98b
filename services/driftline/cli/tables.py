"""Read rows from .csv and .csv.gz: UTF-8, a header, every row as wide as the header."""

import csv
import gzip
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from driftline.cli.errors import CommandError, close_to

MAX_FIELD: Final = 10_000_000


def read_rows(path: Path, columns: Collection[str]) -> Iterator[dict[str, str]]:
    """The rows as column -> text. CommandError: no such file or columns, or a row that is broken.

    The header is read at once, so a wrong column is told before the first row.
    """
    with _faults(path), _open(path) as file:
        header = next(csv.reader(file), [])
    _check_header(path, header, columns)
    return _rows(path, header)


def count_rows(path: Path) -> int:
    """How many rows `read_rows` gives."""
    with _faults(path), _open(path) as file:
        return max(0, sum(1 for row in csv.reader(file) if row) - 1)


def stem(path: Path) -> str:
    """The file's name without .csv or .csv.gz."""
    return path.name.removesuffix(".gz").removesuffix(".csv")


def _rows(path: Path, header: list[str]) -> Iterator[dict[str, str]]:
    with _faults(path), _open(path) as file:
        reader = csv.reader(file)
        next(reader)
        for row in reader:
            if not row:
                continue  # a blank line, often the last
            if len(row) != len(header):
                raise CommandError(
                    f"{path}, line {reader.line_num}: {len(row)} fields instead of {len(header)}."
                )
            yield dict(zip(header, row, strict=True))


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
    csv.field_size_limit(MAX_FIELD)
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
