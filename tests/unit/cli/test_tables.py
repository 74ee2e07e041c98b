"""Is a table read as it is, and a hostile one refused before it fills the memory?"""

import gzip
import re
import tracemalloc
from pathlib import Path

import pytest

from driftline.cli.errors import CommandError
from driftline.cli.tables import MAX_ROW, count_rows, read_rows


def packed(path: Path, content: bytes) -> Path:
    path.write_bytes(gzip.compress(content, 1))
    return path


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"a" * 10 * MAX_ROW, id="a header without an end"),
        pytest.param(b"a,b\n" + b"1" * 10 * MAX_ROW, id="a row without an end"),
        pytest.param(b"a,b\n" + b'"1\n",' * 2 * MAX_ROW, id="a row of many lines"),
    ],
)
def test_a_row_without_an_end_is_refused_in_little_memory(tmp_path: Path, content: bytes) -> None:
    file = packed(tmp_path / "rows.csv.gz", content)
    assert file.stat().st_size < 1_000_000
    says = f"{file} has a row of 10,000,000 characters or more."
    tracemalloc.start()
    try:
        with pytest.raises(CommandError, match=re.escape(says)):
            list(read_rows(file, ()))
        with pytest.raises(CommandError, match=re.escape(says)):
            count_rows(file)
        assert tracemalloc.get_traced_memory()[1] < 400_000_000
    finally:
        tracemalloc.stop()


def test_long_rows_and_quoted_lines_are_read_as_they_are(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    long = "x" * 3_000_000
    file.write_text(f'a,b\r\n{long},{long}\r\n"two\nlines",""\r\n\r\n{long},last', newline="")
    rows = [{"a": long, "b": long}, {"a": "two\nlines", "b": ""}, {"a": long, "b": "last"}]
    assert list(read_rows(file, ("a", "b"))) == rows
    assert count_rows(file) == 3


def test_a_broken_row_is_told_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text('a,b\n"two\nlines",1\n7\n')
    with pytest.raises(CommandError, match=r"line 4: 1 fields instead of 2\.$"):
        list(read_rows(file, ()))
