"""Are rows read from Parquet as a CSV file with the same rows would have them?"""

import csv
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from driftline.cli.apply import make_bins
from driftline.cli.errors import CommandError
from driftline.cli.learning_files import put_file
from driftline.cli.recorded_rows import Columns, guessed_kinds, recorded_rows
from driftline.cli.replay import Replay
from driftline.cli.tables import count_rows, read_rows, stem
from driftline.core.learning.rows import read_table
from driftline.runtime.settings import load
from driftline.sdk.events import Encoder
from driftline_schemas.spec import Feature, ModelSpec, ReferenceSpec


def written(file: Path, table: Any, **how: Any) -> Path:
    parquet.write_table(table, file, **how)
    return file


def texts(file: Path, name: str) -> list[str]:
    return [row[name] for row in read_rows(file, [name])]


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        ([1, None, -(2**63)], pa.int64(), ["1", "", "-9223372036854775808"]),
        ([0.1, 1e300, 2.0, None], pa.float64(), ["0.1", "1e+300", "2.0", ""]),
        ([0.5, 0.1], pa.float32(), ["0.5", "0.10000000149011612"]),
        ([1.5], pa.float16(), ["1.5"]),
        ([float("nan"), float("inf")], pa.float64(), ["nan", "inf"]),
        ([True, False, None], pa.bool_(), ["true", "false", ""]),
        (["a,b", "", None, "ü"], pa.string(), ["a,b", "", "", "ü"]),
        (["long"], pa.large_string(), ["long"]),
        ([Decimal("1.50"), Decimal("1E+3")], pa.decimal128(9, 2), ["1.50", "1000.00"]),
        ([date(2016, 10, 1)], pa.date32(), ["2016-10-01"]),
        ([time(8, 30)], pa.time64("us"), ["08:30:00"]),
        ([datetime(2016, 10, 1, 8)], pa.timestamp("ms"), ["2016-10-01T08:00:00Z"]),  # noqa: DTZ001
        ([1_475_308_800_123_456_789], pa.timestamp("ns"), ["2016-10-01T08:00:00.123456Z"]),
        ([1_475_308_800], pa.timestamp("s", "Europe/Berlin"), ["2016-10-01T08:00:00Z"]),
        ([None, None], pa.null(), ["", ""]),
    ],
)  # fmt: skip
def test_a_value_is_written_as_its_type_says(
    tmp_path: Path, values: list[Any], kind: Any, expected: list[str]
) -> None:
    file = written(tmp_path / "t.parquet", pa.table({"x": pa.array(values, kind)}))
    assert texts(file, "x") == expected


def test_a_dictionary_column_holds_its_values(tmp_path: Path) -> None:
    column = pa.array(["red", "blue", None, "red"]).dictionary_encode()
    assert texts(written(tmp_path / "t.parquet", pa.table({"x": column})), "x") == [
        "red", "blue", "", "red",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("column", "named"),
    [
        (pa.array([[1, 2]]), "list<"),
        (pa.array([{"a": 1}]), "struct<"),
        (pa.array([b"raw"]), "binary"),
        (pa.array([timedelta(seconds=1)]), "duration"),
    ],
    ids=["list", "struct", "binary", "duration"],
)
def test_a_column_of_more_than_plain_values_is_refused_where_it_is_needed(
    tmp_path: Path, column: Any, named: str
) -> None:
    file = written(tmp_path / "t.parquet", pa.table({"x": [1], "odd": column}))
    assert texts(file, "x") == ["1"]
    with pytest.raises(CommandError, match=f"column 'odd' holds {named}.*leave it out"):
        list(read_rows(file, ["x", "odd"]))


def test_a_column_that_is_missing_is_named_with_the_ones_there_are(tmp_path: Path) -> None:
    file = written(tmp_path / "t.parquet", pa.table({"age": [1], "emp.var.rate": [0.5]}))
    with pytest.raises(CommandError, match="has no column 'agee': did you mean 'age'"):
        read_rows(file, ["agee"])
    assert texts(file, "emp.var.rate") == ["0.5"]


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-10])


def overwritten(file: Path) -> None:
    """The end, which says where what is, is whole; the values are not."""
    raw = bytearray(file.read_bytes())
    raw[4:60] = b"\xff" * 56
    file.write_bytes(bytes(raw))


@pytest.mark.parametrize(
    "broken",
    [lambda file: file.write_bytes(b""), lambda file: file.write_text("a,b\n1,2\n"), cut,
     overwritten],
    ids=["empty", "csv", "cut", "overwritten"],
)  # fmt: skip
def test_a_broken_file_is_one_sentence(tmp_path: Path, broken: Callable[[Path], object]) -> None:
    file = written(tmp_path / "t.parquet", pa.table({"a": list(range(100))}), compression="none")
    broken(file)
    with pytest.raises(CommandError, match="is no whole Parquet file: ") as told:
        list(read_rows(file, ["a"]))
    assert "\n" not in str(told.value)


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    for missing in (tmp_path / "t.parquet", tmp_path):
        with pytest.raises(CommandError, match="Cannot read"):
            read_rows(missing / "t.parquet" if missing == tmp_path else missing, ["a"])


def test_without_pyarrow_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from driftline.cli.app import app

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.delitem(sys.modules, "driftline.cli.parquet", raising=False)
    with pytest.raises(SystemExit):
        app(["replay", str(tmp_path / "t.parquet"), "--model", "m", "--prediction", "p"])
    assert "pip install 'driftline[parquet]'" in capfd.readouterr().err


def test_many_rows_are_read_batch_by_batch(tmp_path: Path) -> None:
    file = written(tmp_path / "t.parquet", pa.table({"x": list(range(25_000))}), row_group_size=999)
    rows = read_rows(file, ["x"])
    assert next(rows) == {"x": "0"}
    assert next(rows) == {"x": "1"}
    assert sum(1 for _ in rows) == 24_998
    assert count_rows(file) == 25_000


def test_kinds_are_guessed_as_those_of_a_csv(tmp_path: Path) -> None:
    columns = {"n": [1, None], "c": ["x", "7"], "b": [True, False], "p": [1, 0]}
    file = written(tmp_path / "t.parquet", pa.table(columns))
    assert guessed_kinds(file, ["p"]) == {"n": "numeric", "c": "categorical", "b": "boolean"}


def test_rows_to_learn_from_are_kept_as_csv(tmp_path: Path) -> None:
    table = pa.table({"b": ["x", None], "a": [1.5, 2.0], "left": [[1], [2]], "y": [True, False]})
    file = written(tmp_path / "rows.parquet", table)
    settings = load(artifacts_url=f"file://{tmp_path}/kept")
    kept = [put_file(settings, file, names) for names in ({"y", "b", "a"}, ["a", "b", "y"])]
    assert kept[0] == kept[1]
    found = read_table(Path(kept[0].uri.removeprefix("file://")).read_bytes())
    assert found.header == ["a", "b", "y"]
    assert found.rows == [["1.5", "x", "true"], ["2.0", "", "false"]]


def test_a_reference_gives_the_bins_of_the_same_rows_as_csv(tmp_path: Path) -> None:
    rows = {"n": [i / 7 for i in range(500)], "c": ["x", "y", None, "z"] * 125, "y": [0, 1] * 250}
    written(tmp_path / "r.parquet", pa.table(rows))
    with (tmp_path / "r.csv").open("w", newline="") as file:
        csv.writer(file).writerows([rows.keys(), *zip(*rows.values(), strict=True)])
    features = [Feature(name="n", kind="numeric"), Feature(name="c", kind="categorical")]
    bins = [
        make_bins(
            tmp_path / "spec.yaml",
            ModelSpec(
                model="m",
                task="binary",
                features=features,
                reference=ReferenceSpec(file=file_name, prediction="y"),
            ),
        )
        for file_name in ("r.csv", "r.parquet")
    ]
    assert bins[0] is not None
    assert bins[0] == bins[1]


@dataclass(slots=True)
class EncodingApp:
    """Keeps the records that the SDK would send."""

    records: list[tuple[str, bytes]] = field(default_factory=list)
    _encoder: Encoder = field(default_factory=lambda: Encoder(lambda: 1_764_000_000_000, "binary"))

    def log_prediction(self, *, features: Mapping[str, Any], **rest: Any) -> str | None:
        self.records.append(self._encoder.prediction(features=features, **rest))
        return None

    def log_label(self, **label: Any) -> bool:
        self.records.append(self._encoder.label(**label))
        return True


def published(file: Path) -> list[tuple[str, bytes]]:
    kinds: dict[str, Any] = {"age": "numeric", "income": "numeric", "plan": "categorical"}
    columns = Columns({**kinds, "new": "boolean"}, "p", "y", "binary", predicted_at="at")
    app = EncodingApp()
    play = Replay(recorded_rows(file, columns), app, model="m", name=stem(file))
    assert sum(1 for _ in play.run()) == 300
    return app.records


def test_the_same_rows_as_csv_and_as_parquet_publish_the_same_events(tmp_path: Path) -> None:
    """Ids too. A float column of 32 bits would differ: Parquet has 0.1 as 0.10000000149011612."""
    at = [datetime(2016, 10, 1 + i // 24, i % 24) for i in range(300)]  # noqa: DTZ001
    rows = pa.table(
        {
            "age": [i if i % 7 else None for i in range(300)],
            "income": [i / 7 for i in range(300)],
            "plan": pa.array([("gold", "free", None)[i % 3] for i in range(300)]),
            "new": [bool(i % 2) for i in range(300)],
            "p": [i % 2 for i in range(300)],
            "y": [bool(i % 3) if i % 5 else None for i in range(300)],
            "at": pa.array(at, pa.timestamp("ms")),
        }
    )
    with (tmp_path / "rows.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows.column_names)
        writer.writeheader()
        writer.writerows(rows.to_pylist())
    as_csv = published(tmp_path / "rows.csv")
    assert as_csv == published(written(tmp_path / "rows.parquet", rows))
    assert as_csv[0][0] == "rows-0"
    assert len(as_csv) == 300 + 240
