"""Which columns does a replay read, and what is refused before anything is sent?"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from driftline.cli.errors import CommandError
from driftline.cli.recorded_rows import Columns, labels_by_key, recorded_rows, recorded_time
from driftline.cli.replay import Row
from driftline.cli.replay_columns import Wanted, columns_of, separate_labels
from driftline_schemas.spec import Feature, ModelSpec, ReferenceSpec

SPEC = ModelSpec(
    model="m",
    task="binary",
    features=[Feature(name="n", kind="numeric")],
    reference=ReferenceSpec(file="reference.csv", label="y", prediction="p"),
)


def wanted(**said: Any) -> Wanted:
    nothing = dict.fromkeys(("prediction", "label", "labels", "label_key", "predicted_at"))
    return Wanted(**{**nothing, "asks": False, **said})


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    file = tmp_path / "rows.csv"
    file.write_text("id,n,at,p\n7,1,2016-10-01,0\n8,2,2016-10-02T03:04:05+02:00,1\n9,3,2016-10,1\n")
    return file


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    file = tmp_path / "truth.csv"
    file.write_text("id,y\n8,1\n7,0\n8,1\n10,1\n9,\n")
    return file


def test_the_spec_says_what_the_command_line_does_not() -> None:
    columns = columns_of(Path("rows.csv"), SPEC, wanted())
    assert columns == Columns({"n": "numeric"}, "p", "y", "binary")
    assert columns_of(Path("rows.csv"), SPEC, wanted(prediction="q")).prediction == "q"
    assert columns_of(Path("rows.csv"), SPEC, wanted(asks=True)).prediction is None


def test_without_a_spec_no_column_that_has_a_part_is_a_feature(rows: Path, truth: Path) -> None:
    said = wanted(prediction="p", label="y", labels=truth, label_key="id", predicted_at="at")
    assert columns_of(rows, None, said).kinds == {"n": "numeric"}


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"labels": Path("t.csv")}, "both --labels and --label-key"),
        ({"label_key": "id"}, "both --labels and --label-key"),
        ({"asks": True, "prediction": "p"}, "give one of both"),
        ({"asks": True, "predicted_at": "at"}, "A scorer predicts now"),
    ],
    ids=["labels without key", "key without labels", "two predictors", "a scorer in the past"],
)
def test_what_does_not_go_together_is_one_sentence(said: dict[str, Any], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        columns_of(Path("rows.csv"), SPEC, wanted(**said))


def test_labels_without_a_named_column_are_one_sentence(rows: Path, truth: Path) -> None:
    with pytest.raises(CommandError, match=r"Which column of .*truth\.csv is the label"):
        columns_of(rows, None, wanted(prediction="p", labels=truth, label_key="id"))


def test_labels_of_a_second_file_find_their_rows(rows: Path, truth: Path) -> None:
    columns = columns_of(rows, SPEC, wanted(labels=truth, label_key="id"))
    labels = separate_labels(columns, truth)
    assert labels == {"7": "0", "8": "1", "10": "1"}
    assert [row.label for row in recorded_rows(rows, columns, labels)] == ["0", "1", None]


def test_two_labels_for_one_key_are_refused(truth: Path) -> None:
    truth.write_text("id,y\n7,0\n7,1\n")
    with pytest.raises(CommandError, match=r"has two labels for id 7\.$"):
        labels_by_key(truth, "id", "y")


def test_a_column_dates_the_predictions(rows: Path) -> None:
    columns = columns_of(rows, SPEC, wanted(label="p", predicted_at="at"))
    play = recorded_rows(rows, columns)
    assert next(play) == Row(0, {"n": 1.0}, "0", "0", datetime(2016, 10, 1, tzinfo=UTC))
    assert next(play).predicted_at == datetime(2016, 10, 2, 1, 4, 5, tzinfo=UTC)
    with pytest.raises(CommandError, match="row 2: '2016-10' in column 'at' is no time"):
        next(play)


@pytest.mark.parametrize("text", ["", "yesterday", "2016-13-01", "17:00", "1e9"])
def test_a_text_that_is_no_time_is_none(text: str) -> None:
    assert recorded_time(text) is None
