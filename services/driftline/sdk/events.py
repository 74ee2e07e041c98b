"""Encode predictions and labels as the contracts say. Pure: time and ids are given."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from driftline.sdk.values import (
    RefusedError,
    Task,
    checked_id,
    checked_name,
    class_probabilities,
    invalid,
    millis,
    output,
    plain_features,
    text,
)
from driftline_schemas.fields import format_time
from driftline_schemas.topics import MAX_RECORD_BYTES


@dataclass(slots=True)
class Encoder:
    """Bytes of events. Every method raises RefusedError for what cannot be sent."""

    now: Callable[[], int]  # milliseconds since the epoch
    task: Task | None = None
    producer: Mapping[str, str] | None = None
    _second: tuple[int, str] = (-1, "")

    def prediction(self, *, model: object, model_version: object, prediction_id: object,
                   features: object, prediction: object, predicted_at: object = None,
                   probabilities: object = None, segments: object = None,
                   entity_id: object = None) -> tuple[str, bytes]:  # fmt: skip
        """The prediction's id and its record."""
        event: dict[str, Any] = {
            "prediction_id": checked_id(prediction_id),
            "model": checked_name(model, "model"),
            "model_version": checked_name(model_version, "model_version"),
            "predicted_at": self._time(millis(predicted_at, self.now, "predicted_at")),
            "features": None,
            "prediction": output(prediction, self.task, "prediction"),
        }
        if probabilities is not None and (
            numbers := class_probabilities(_mapping(probabilities, "probabilities"))
        ):
            event["probabilities"] = numbers
        if segments is not None:
            named = _mapping(segments, "segments").items()
            event["segments"] = {str(name): text(value) for name, value in named}
        if entity_id is not None:
            event["entity_id"] = text(entity_id)
        if self.producer is not None:
            event["producer"] = self.producer
        return event["prediction_id"], _sized(_with_features(event, features))

    def label(self, *, model: object, prediction_id: object, label: object,
              labelled_at: object = None, source: object = None) -> tuple[str, bytes]:  # fmt: skip
        """The prediction's id and the label's record."""
        event: dict[str, Any] = {
            "prediction_id": checked_id(prediction_id),
            "model": checked_name(model, "model"),
            "label": output(label, self.task, "label"),
            "labelled_at": self._time(millis(labelled_at, self.now, "labelled_at")),
        }
        if source is not None:
            event["source"] = text(source)
        return event["prediction_id"], _sized(_dumps(event))

    def _time(self, at: int) -> str:
        """RFC 3339; the text of the last second is kept, formatting costs more than the rest."""
        second, start = self._second
        if at // 1_000 != second:
            second, start = at // 1_000, format_time(at)[:-4]
            self._second = (second, start)
        return f"{start}{at % 1_000:03d}Z"


def _with_features(event: dict[str, Any], features: object) -> bytes:
    try:
        return orjson.dumps(_fill(event, *plain_features(features)))
    except TypeError:  # perhaps a feature: try them one by one
        return _dumps(_fill(event, *plain_features(features, strictly=True)))


def _fill(event: dict[str, Any], plain: dict[str, Any], lost: list[str]) -> dict[str, Any]:
    event["features"] = plain
    if lost:
        event["nonfinite"] = lost
    return event


def _dumps(event: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(event)
    except TypeError as error:
        raise invalid(f"the event cannot be written as JSON: {error}") from None


def _sized(record: bytes) -> bytes:
    if len(record) > MAX_RECORD_BYTES:
        size = f"{len(record):,} bytes are over the limit of {MAX_RECORD_BYTES:,}"
        raise RefusedError("too_large", size)
    return record


def _mapping(value: object, field: str) -> Mapping[object, object]:
    if not isinstance(value, Mapping):
        raise invalid(f"{field} must be a mapping, not {type(value).__name__}")
    return value
