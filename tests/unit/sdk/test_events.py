"""What does the SDK put on the wire?"""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from driftline.sdk.events import Encoder
from driftline.sdk.values import RefusedError
from driftline_schemas.codec import decode
from driftline_schemas.labels import Label
from driftline_schemas.predictions import Prediction

NOW = 1_795_640_405_007
GOLDEN = Path(__file__).parent / "golden"


def encoder(task: Any = None) -> Encoder:
    return Encoder(lambda: NOW, task, {"name": "shop", "version": "4.2"})


def prediction(task: Any = None, **changes: Any) -> dict[str, Any]:
    fields = {"model": "churn", "model_version": "3", "prediction_id": "a-1",
              "features": {"age": 31}, "prediction": "yes"}  # fmt: skip
    _, record = encoder(task).prediction(**{**fields, **changes})
    event: dict[str, Any] = orjson.loads(record)
    return event


def test_a_full_prediction_is_written_byte_for_byte_as_the_golden_one() -> None:
    key, record = encoder("binary").prediction(
        model="churn",
        model_version="2026-11",
        prediction_id="order-17",
        features={"age": 31, "plan": "gold", "new": True, "spent": 12.5, "score": float("nan"),
                  "city": None},
        prediction=True,
        predicted_at=datetime(2026, 11, 25, 22, 0, 5, 7_000, timezone(timedelta(hours=1))),
        probabilities={True: 0.75, False: 0.25},
        segments={"country": "DE", "mobile": False},
        entity_id=4711,
    )  # fmt: skip
    assert key == "order-17"
    assert record == (GOLDEN / "prediction.json").read_bytes().rstrip()
    assert decode(Prediction, record).nonfinite == ["score"]


def test_a_label_is_written_byte_for_byte_as_the_golden_one() -> None:
    key, record = encoder("binary").label(
        model="churn", prediction_id="order-17", label=False, source="billing"
    )
    assert key == "order-17"
    assert record == (GOLDEN / "label.json").read_bytes().rstrip()
    assert decode(Label, record).labelled_at == NOW


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        pytest.param(np.float32(0.5), 0.5, id="a numpy float"),
        pytest.param(np.int64(7), 7, id="a numpy integer"),
        pytest.param(np.bool_(True), True, id="a numpy truth value"),
        pytest.param(np.str_("gold"), "gold", id="a numpy string"),
        pytest.param(Decimal("1.25"), 1.25, id="a decimal"),
        pytest.param(datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00+00:00", id="a time"),
        pytest.param([1, 2], [1, 2], id="a list"),
    ],
)
def test_features_become_json_values(value: object, sent: object) -> None:
    event = prediction(features={"x": value})
    assert event["features"] == {"x": sent}
    assert "nonfinite" not in event


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(float("inf"), id="infinity"),
        pytest.param(np.float64("nan"), id="a numpy NaN"),
        pytest.param(2**70, id="an integer over 64 bit"),
        pytest.param("\ud800", id="a broken string"),
        pytest.param(object(), id="an object"),
        pytest.param([[[[[[[1]]]]]]], id="a list too deep for the envelope"),
    ],
)
def test_a_feature_that_json_cannot_say_is_null_and_named(value: object) -> None:
    event = prediction(features={"x": value, "y": 1})
    assert event["features"] == {"x": None, "y": 1}
    assert event["nonfinite"] == ["x"]


@pytest.mark.parametrize(
    ("task", "value", "sent"),
    [
        pytest.param("binary", True, "true", id="a truth value is a class"),
        pytest.param("binary", np.bool_(False), "false", id="also numpy's"),
        pytest.param("multiclass", 1, "1", id="an integer is a class"),
        pytest.param("multiclass", np.int64(2), "2", id="also numpy's integer"),
        pytest.param("multiclass", 3.0, "3", id="a whole float is a class, as scikit-learn gives"),
        pytest.param("regression", 1, 1, id="a number stays a number"),
        pytest.param("regression", np.float32(0.5), 0.5, id="also numpy's number"),
        pytest.param(None, 1, 1, id="without a task a number stays"),
    ],
)
def test_predictions_and_labels_are_written_as_the_task_wants(
    task: Any, value: object, sent: object
) -> None:
    assert prediction(task, prediction=value)["prediction"] == sent
    _, record = encoder(task).label(model="m", prediction_id="1", label=value)
    assert orjson.loads(record)["label"] == sent


@pytest.mark.parametrize(
    ("task", "changes", "reason"),
    [
        pytest.param(None, {"prediction_id": "a b"}, "invalid_field", id="an id with a space"),
        pytest.param(None, {"prediction_id": "a\n"}, "invalid_field", id="an id with a line end"),
        pytest.param(None, {"model": ""}, "invalid_field", id="no model"),
        pytest.param(None, {"model_version": 3}, "invalid_field", id="a version that is a number"),
        pytest.param(None, {"features": 5}, "invalid_field", id="features that are a number"),
        pytest.param(None, {"prediction": None}, "invalid_field", id="no prediction"),
        pytest.param(None, {"prediction": float("nan")}, "invalid_field", id="NaN predicted"),
        pytest.param(None, {"prediction": 2**70}, "invalid_field", id="a prediction over 64 bit"),
        pytest.param("binary", {"prediction": 0.7}, "invalid_field", id="a score as a class"),
        pytest.param("regression", {"prediction": "7"}, "invalid_field", id="a text as a value"),
        pytest.param(None, {"predicted_at": datetime(2026, 1, 1)}, "invalid_field",  # noqa: DTZ001
                     id="a time without zone"),
        pytest.param(None, {"features": {str(i): 1 for i in range(1_001)}}, "too_many_features",
                     id="1,001 features"),
        pytest.param(None, {"features": {"x": "a" * 300_000}}, "too_large", id="300 KB"),
        pytest.param(None, {"features": {"x": "a" * 5_000_000}}, "too_large", id="5 MB"),
    ],
)  # fmt: skip
def test_what_the_envelope_cannot_carry_is_refused_with_a_reason(
    task: Any, changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(RefusedError) as refused:
        prediction(task, **changes)
    assert refused.value.reason == reason


def test_a_probability_that_is_not_finite_leaves_them_all_out() -> None:
    assert "probabilities" not in prediction(probabilities={"a": 0.5, "b": float("nan")})


def test_the_apps_own_features_are_not_changed() -> None:
    features: dict[str, Any] = {"x": float("nan"), "y": np.int64(3)}
    prediction(features=features)
    assert np.isnan(features["x"])
    assert isinstance(features["y"], np.int64)
