"""Rows of files and of the journal, and how they are learned."""

import gzip
from random import Random
from typing import Any

import pytest

from driftline.core.learning.features import FeatureSchema
from driftline.core.learning.rows import (
    FileRows,
    JournalRows,
    Recorded,
    UnusableRowsError,
    read_table,
)
from driftline.core.learning.training import Training, TrainingFailedError
from driftline_schemas.spec import Feature, Task

SCHEMA = FeatureSchema.of([
    Feature(name="n", kind="numeric"),
    Feature(name="c", kind="categorical"),
    Feature(name="b", kind="boolean"),
])  # fmt: skip
CSV = b"b,c,n,y,other\ntrue,red,1.5,True,x\nfalse,,oops,,x\n,blue,,no,x\n"


def test_fields_become_what_the_journal_would_say() -> None:
    rows = FileRows.of(read_table(CSV), SCHEMA, "binary", "y")
    assert [rows[i] for i in range(len(rows))] == [
        ({"b": 1.0, "c": "red", "n": 1.5}, "true"),
        ({"c": "blue"}, "no"),
    ]


def test_a_file_may_be_packed() -> None:
    assert read_table(gzip.compress(CSV)) == read_table(CSV)
    assert read_table(b"\xef\xbb\xbf" + CSV).header[0] == "b"


@pytest.mark.parametrize(
    ("payload", "task", "label", "why"),
    [
        (b"", "binary", "y", "no column 'y'"),
        (b"b,c,n\n", "binary", "y", "no column 'y'"),
        (b"b,c,y\n1,2,3\n", "binary", "y", "no column 'n'"),
        (b"b,c,n,y\n1,2,3,\n", "binary", "y", "no row of the file has a label"),
        (b"b,c,n,y\n1,2,3,yes\n", "regression", "y", "no number"),
        (b"b,c,n,y\n1,2,3,nan\n", "regression", "y", "no number"),
        (b"b,c,n,y\n1,2\n", "binary", "y", "as wide"),
        (b"\xff\xfe", "binary", "y", "UTF-8"),
        (b"\x1f\x8b\x00", "binary", "y", "gzip"),
    ],
    ids=["nothing", "no label", "no feature", "no labelled row", "a word for a number",
         "not a number", "a torn row", "other text", "torn gzip"],
)  # fmt: skip
def test_a_file_that_cannot_be_learned_says_why(
    payload: bytes, task: Task, label: str, why: str
) -> None:
    with pytest.raises(UnusableRowsError, match=why):
        FileRows.of(read_table(payload), SCHEMA, task, label)


def test_a_packed_file_that_unfolds_too_far_is_refused() -> None:
    with pytest.raises(UnusableRowsError, match="64 MB"):
        read_table(gzip.compress(b"\n" * (65 << 20)))


def test_labels_of_another_kind_are_left_out() -> None:
    recorded = Recorded([({"n": 1.0}, "yes"), ({"n": 2.0}, 3.0)])
    assert JournalRows.of(recorded, SCHEMA, "regression")[0] == ({"n": 2.0}, 3.0)
    assert len(JournalRows.of(recorded, SCHEMA, "binary")) == 1
    with pytest.raises(UnusableRowsError):
        JournalRows.of(Recorded([({}, "yes")]), SCHEMA, "regression")


class Noting:
    """Notes what it learns."""

    def __init__(self) -> None:
        self.learned: list[Any] = []

    def learn_one(self, x: dict[str, Any], y: Any) -> None:
        if y == "bad":
            raise OverflowError("math range error")
        self.learned.append(y)

    def predict_one(self, x: dict[str, Any]) -> None:
        return None


def rows_of(*labels: str) -> JournalRows:
    return JournalRows.of(Recorded([({}, label) for label in labels]), SCHEMA, "multiclass")


def test_each_pass_goes_through_all_rows_in_their_order() -> None:
    model = Noting()
    Training(model, rows_of("a", "b", "c"), 2).learn(100)
    assert model.learned == ["a", "b", "c", "a", "b", "c"]


@pytest.mark.parametrize("steps", [[15], [1, 4, 7, 15], list(range(16))])
def test_a_seed_shuffles_in_place_before_each_pass_however_it_is_cut(steps: list[int]) -> None:
    order, chance, expected = list("abcde"), Random(4), []
    for _ in range(3):
        chance.shuffle(order)
        expected += order
    model = Noting()
    training = Training(model, rows_of(*"abcde"), 3, Random(4))
    for step in steps:
        training.learn(step)
    assert model.learned == expected
    assert training.done == training.total == 15
    resumed = Training(Noting(), rows_of(*"abcde"), 3, Random(4), done=7)
    resumed.learn(15)
    assert isinstance(resumed.model, Noting)
    assert resumed.model.learned == expected[7:]


def test_a_row_that_cannot_be_learned_is_named() -> None:
    training = Training(Noting(), rows_of("a", "bad", "c"))
    with pytest.raises(TrainingFailedError, match=r"row 2: OverflowError\('math range error'\)"):
        training.learn(3)
