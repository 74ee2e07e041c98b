"""The monitor reads the outcome of a joined record, and the other kinds whole."""

from typing import Any

import pytest

from driftline.core.monitoring.records import MONITOR_RECORD, Labelled
from driftline_schemas.journal import JOURNAL_RECORD, Joined
from tests.unit.core.monitoring.journal import START, Journal, fold, joined, new_fold


def test_its_fields_are_those_of_the_joined_record() -> None:
    whole = Joined.model_fields
    for name, field in Labelled.model_fields.items():
        assert field.annotation == whole[name].annotation
        assert field.metadata == whole[name].metadata


def test_it_says_what_the_whole_record_says() -> None:
    record = joined(START, 7, predicted_at="2026-10-01T00:00:00.000Z", features={"x": [{}]})
    short, whole = MONITOR_RECORD.validate_python(record), JOURNAL_RECORD.validate_python(record)
    assert isinstance(short, Labelled)
    kept = whole.model_dump()
    assert short.model_dump() == {name: kept[name] for name in Labelled.model_fields}


@pytest.mark.parametrize(
    "change",
    [{"label": None}, {"label": float("nan")}, {"label_tp": [0]}, {"predicted_at": "now"}],
    ids=["no label", "a label that is no number", "half a position", "no time"],
)
def test_what_it_reads_is_validated(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        MONITOR_RECORD.validate_python({**joined(START, 7), **change})


def test_a_fold_of_whole_records_and_one_of_outcomes_are_the_same() -> None:
    journal = Journal()
    journal.spec()
    for i in range(600):
        journal.joined(START + i * 100, i, label="no" if i > 300 else "yes")
    short, whole = new_fold(), new_fold()
    found = fold(journal.entries, whole)
    assert found
    read = [
        out
        for e in journal.entries
        for out in short.step(
            e.offset, e.time, MONITOR_RECORD.validate_python(e.record.model_dump(by_alias=True))
        )
    ]
    assert read == found
    assert short.snapshot()["models"]["m"]["error"] == whole.snapshot()["models"]["m"]["error"]
