"""Do the rows of a reference become the right bins and counts?"""

import pytest

from driftline.core.reference import UnusableReferenceError, bins_of, reference_bins
from driftline_schemas.codec import decode, encode
from driftline_schemas.control import BinsBody
from driftline_schemas.spec import ModelSpec

SPEC = ModelSpec.model_validate(
    {
        "model": "m",
        "task": "binary",
        "features": [
            {"name": "n", "kind": "numeric"},
            {"name": "c", "kind": "categorical"},
            {"name": "b", "kind": "boolean"},
        ],
        "reference": {"file": "reference.csv", "prediction": "p"},
    }
)
ROWS = [
    {"n": "1", "c": "x", "b": "true", "p": "True", "else": "1"},
    {"n": "2", "c": "x", "b": "0", "p": "False", "else": "1"},
    {"n": "", "c": "y", "b": "", "p": "True", "else": "1"},
    {"n": "nan", "c": "", "b": "maybe", "p": "", "else": "1"},
]


def test_every_row_is_counted_once_per_feature() -> None:
    body = reference_bins(SPEC, ROWS, effective_from=7)
    assert body.n == 4
    assert body.features["n"].reference[-2:] == [1, 1]  # missing, invalid
    assert sum(body.features["n"].reference) == 4
    assert body.features["c"].categories == ["x", "y"]
    assert body.features["c"].reference == [2, 1, 0, 0, 1, 0]
    assert body.features["b"].reference == [1, 1, 1, 1]
    assert body.prediction is not None
    assert body.prediction.categories == ["true", "false"]
    assert body.prediction.reference == [2, 1, 0, 0, 1, 0]


def test_a_published_body_gives_the_same_bins_again() -> None:
    body = decode(BinsBody, encode(reference_bins(SPEC, ROWS, effective_from=7)))
    for name, described in body.features.items():
        texts = [row[name] for row in ROWS]
        assert bins_of(described).size == len(described.reference), texts


def test_the_id_depends_on_the_rows_and_not_on_the_time() -> None:
    first = reference_bins(SPEC, ROWS, effective_from=7)
    assert reference_bins(SPEC, ROWS, effective_from=8).bins_id == first.bins_id
    assert reference_bins(SPEC, ROWS[:-1], effective_from=7).bins_id != first.bins_id


def test_a_regression_has_numeric_bins_of_its_predictions() -> None:
    spec = SPEC.model_copy(update={"task": "regression"})
    rows = [{**row, "p": str(i)} for i, row in enumerate(ROWS)]
    prediction = reference_bins(spec, rows, effective_from=0).prediction
    assert prediction is not None
    assert prediction.kind == "numeric"


def test_no_rows_are_no_reference() -> None:
    with pytest.raises(UnusableReferenceError, match="no rows"):
        reference_bins(SPEC, [], effective_from=0)
