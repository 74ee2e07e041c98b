"""What does the demo make of a file of the user's, and what does it refuse?"""

import gzip
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from typer.testing import CliRunner

from driftline.cli.app import app
from driftline.cli.errors import CommandError
from driftline.cli.spec_file import load_spec
from driftline.demo.own_rows import OwnRows, own_stream
from driftline.demo.plan import stream_of
from driftline.demo.production_app import Orders
from driftline.demo.specification import write_spec
from driftline.demo.stream import Fault

ROWS = 600
KNOWN = 180
Column = Callable[[int], object]
PLAIN: Mapping[str, Column] = {
    "age": lambda i: i * 7 % 60,
    "plan": lambda i: ("gold", "free", "")[i % 3],
    "new": lambda i: ("true", "false")[i // 2 % 2],
}


def written(folder: Path, columns: Mapping[str, Column], rows: int = ROWS) -> Path:
    file = folder / "my rows.csv.gz"
    with gzip.open(file, "wt") as opened:
        opened.write(",".join(columns) + "\n")
        for i in range(rows):
            opened.write(",".join(str(value(i)) for value in columns.values()) + "\n")
    return file


def shifted(by: int) -> Column:
    return lambda i: (i * 7 + by) % 11


def with_label(label: Column) -> dict[str, Column]:
    return {**PLAIN, "y": label}


def test_the_last_column_is_the_label_and_the_first_rows_are_known(tmp_path: Path) -> None:
    file = written(tmp_path, with_label(lambda i: ("no", "yes")[i % 2]))
    stream = own_stream(OwnRows(file))
    assert (stream.model, stream.label, stream.task) == ("my_rows", "y", "binary")
    assert stream.kinds == {"age": "numeric", "plan": "categorical", "new": "boolean"}
    assert (len(stream.rows), stream.known, stream.streamed) == (ROWS, KNOWN, ROWS - KNOWN)
    assert stream.rows[2] == ({"age": 14.0, "plan": None, "new": False}, "no")
    assert stream.fault is None
    assert stream.prediction_id(7) == "my_rows-7"


def test_columns_that_give_the_label_away_are_left_out(tmp_path: Path) -> None:
    file = written(tmp_path, with_label(lambda i: i % 2))
    stream = own_stream(OwnRows(file, left_out=("new", "age")))
    assert list(stream.kinds) == list(stream.rows[0][0]) == ["plan"]
    assert stream.left_out == {"new": "you said so", "age": "you said so"}
    assert stream.rotated == []


@pytest.mark.parametrize(
    ("left_out", "sentence"),
    [("y", "Column 'y' is the label"), ("plam", "has no column 'plam': did you mean 'plan'")],
)
def test_only_a_column_that_is_there_is_left_out(
    tmp_path: Path, left_out: str, sentence: str
) -> None:
    with pytest.raises(CommandError, match=sentence):
        own_stream(OwnRows(written(tmp_path, with_label(lambda i: i % 2)), left_out=(left_out,)))


def test_rows_are_used_as_many_as_asked_for(tmp_path: Path) -> None:
    file = written(tmp_path, with_label(lambda i: i % 2), rows=7_000)
    assert len(own_stream(OwnRows(file, rows=1_000)).rows) == 1_000
    stream = own_stream(OwnRows(file))
    assert (len(stream.rows), stream.known) == (6_000, 1_800)


@pytest.mark.parametrize(
    ("label", "task", "truth"),
    [
        (lambda i: i % 2, "binary", "0"),
        (lambda i: ("True", "False")[i % 2], "binary", "true"),
        (lambda i: i / 2 % 1, "binary", "0.0"),
        (lambda i: "abc"[i % 3], "multiclass", "a"),
        (lambda i: i % 30, "multiclass", "0"),
        (lambda i: i % 31, "regression", 0.0),
        (lambda i: i % 7 + 0.5, "regression", 0.5),
    ],
    ids=["0 and 1", "true and false", "two numbers", "texts", "30 whole numbers",
         "31 whole numbers", "7 fractions"],
)  # fmt: skip
def test_the_label_tells_the_task(tmp_path: Path, label: Column, task: str, truth: object) -> None:
    stream = own_stream(OwnRows(written(tmp_path, with_label(label))))
    assert stream.task == task
    assert stream.rows[0][1] == truth


@pytest.mark.parametrize(
    ("column", "why"),
    [
        (lambda i: i, "it only rises, as row numbers do"),
        (lambda i: f"b{i}", "all its texts differ, as ids do"),
        (lambda i: f"2016-10-{1 + i // 24:02}", "it holds times"),
        (lambda _: "", "it is empty"),
    ],
    ids=["row numbers", "ids", "days", "nothing"],
)
def test_a_column_that_tells_nothing_is_left_out_by_name(
    tmp_path: Path, column: Column, why: str
) -> None:
    stream = own_stream(OwnRows(written(tmp_path, {"x": column, **with_label(lambda i: i % 2)})))
    assert stream.left_out == {"x": why}
    assert list(stream.kinds) == list(stream.rows[0][0]) == list(PLAIN)


def test_a_number_that_json_cannot_say_is_missing(tmp_path: Path) -> None:
    columns: dict[str, Column] = {"x": lambda i: "nan" if i % 2 else i % 5, "y": lambda i: i % 2}
    stream = own_stream(OwnRows(written(tmp_path, columns)))
    assert [features["x"] for features, _ in stream.rows[:3]] == [0.0, None, 2.0]


def test_a_label_that_is_missing_never_comes(tmp_path: Path) -> None:
    file = written(tmp_path, with_label(lambda i: "" if i % 4 == 0 else i % 2))
    stream = own_stream(OwnRows(file))
    assert stream.rows[0][1] is None
    assert stream.labels == 240  # of 320 rows whose labels are due before the end


@pytest.mark.parametrize(
    ("columns", "rows", "label", "sentence"),
    [
        (with_label(lambda i: i % 2), 0, None, "has no rows"),
        (with_label(lambda i: i % 2), 5, None, "5 rows of .* are too few, the demo needs 500"),
        ({"y": lambda i: i % 2}, ROWS, None, "has one column only"),
        ({"x": lambda i: i, "y": lambda i: i % 2}, ROWS, None, "has no feature beside the label"),
        (with_label(lambda _: "same"), ROWS, None, "fewer than two different values"),
        (with_label(lambda i: "a" if i < 200 else "b"), ROWS, None, "in its first 180 rows"),
        (with_label(lambda i: f"text {i}"), ROWS, None, "600 different texts, too many"),
        (with_label(lambda i: i % 2), ROWS, "plam", "has no column 'plam': did you mean 'plan'"),
    ],
    ids=["no rows", "five rows", "one column", "a row number only", "one value",
         "one value at first", "texts", "another column"],
)  # fmt: skip
def test_a_file_that_nothing_can_be_learned_from_is_one_sentence(
    tmp_path: Path, columns: Mapping[str, Column], rows: int, label: str | None, sentence: str
) -> None:
    with pytest.raises(CommandError, match=sentence) as told:
        own_stream(OwnRows(written(tmp_path, columns, rows), label))
    assert str(told.value)[-1] in ".?"


@pytest.mark.parametrize("label", [lambda i: i % 2, lambda i: i % 3, lambda i: i % 50 / 7])
@pytest.mark.parametrize("names", [["age"], ["plan"], ["new"], list(PLAIN)], ids=" ".join)
def test_the_specification_that_is_written_is_one_that_apply_takes(
    tmp_path: Path, names: list[str], label: Column
) -> None:
    columns = {name: PLAIN[name] for name in names}
    stream = own_stream(OwnRows(written(tmp_path, {**columns, "y: odd": label})))
    spec = load_spec(write_spec(tmp_path, stream, learns=True, seed=3))
    assert spec.task == stream.task
    assert spec.champion == "frozen"
    assert len(spec.pipelines) == 3
    assert [feature.name for feature in spec.features] == names
    assert (tmp_path / "known.csv").read_text().count("\n") == stream.known + 1


def test_a_fault_swaps_numeric_columns(tmp_path: Path) -> None:
    columns = {f"x{k}": shifted(k) for k in range(8)}
    stream = own_stream(OwnRows(written(tmp_path, {**columns, **with_label(lambda i: i % 2)})))
    fault = stream.fault_at(0.5)
    assert fault == Fault(390, 557)  # 40 % of the 420 rows that are played
    before, after = stream.rows[400][0], {r: f for r, f, _ in stream.played(fault)}[400]
    assert [after[f"x{k}"] for k in range(6)] == [before[f"x{(k + 1) % 6}"] for k in range(6)]
    assert (after["x6"], after["x7"]) == (before["x6"], before["x7"])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--label", "y"], "--label, --leave-out and --rows go with --data"),
        (["--leave-out", "y"], "--label, --leave-out and --rows go with --data"),
        (["--data", "rows.csv", "--frozen"], "--frozen goes with the demo's own stream only"),
        (["--data", "missing.csv"], "Cannot read"),
    ],
    ids=["label without data", "left out without data", "frozen", "no such file"],
)
def test_orders_that_do_not_go_together_are_one_sentence(
    arguments: list[str], sentence: str
) -> None:
    told = CliRunner().invoke(app, ["demo", *arguments])
    assert told.exit_code == 1
    assert sentence in told.stderr.replace("\n", " ")


def test_a_fault_needs_two_numeric_columns(tmp_path: Path) -> None:
    file = written(tmp_path, with_label(lambda i: i % 2))
    told = CliRunner().invoke(app, ["demo", "--data", str(file), "--fault-at", "0.5"])
    assert told.exit_code == 1
    assert "A fault swaps numeric columns" in told.stderr


def test_the_app_reads_the_orders_that_were_written(tmp_path: Path) -> None:
    file = written(tmp_path, with_label(lambda i: i % 2))
    orders = Orders(OwnRows(file, "y", 550, ("new",)), Fault(3, 5), 40.0, "http://scorer", 7)
    assert Orders.read(orders.written()) == orders
    own = Orders(None, None, 40.0, None, 0)
    assert Orders.read(own.written()) == own
    assert stream_of(orders.own) == own_stream(OwnRows(file, "y", 550, ("new",)))
