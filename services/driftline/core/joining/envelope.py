"""Read the envelope of an event, or say why it is refused. A feature never refuses its event.

By hand instead of by pydantic because every event passes here: about 2 us instead of 6. A contract
test holds it to the schemas: what it accepts, they accept.
"""

import json
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from math import isfinite
from typing import Any, Final, NamedTuple

import orjson

from driftline_schemas.dead_letters import Reason
from driftline_schemas.fields import ID_PATTERN, MAX_OUTPUT_CHARACTERS, NAME_PATTERN, parse_time
from driftline_schemas.topics import MAX_DEPTH, MAX_FEATURES, MAX_RECORD_BYTES

Value = str | int | float
WIDE: Final = 2.0**63  # a float from here on may have been an integer wider than 64 bit
_is_id: Final = re.compile(ID_PATTERN.strip("^$")).fullmatch
_NAME: Final = re.compile(NAME_PATTERN.strip("^$")).fullmatch
_LONGEST_NAME: Final = 128  # as in NAME_PATTERN; what is longer is not worth remembering


class PredictionEvent(NamedTuple):
    """What joining and counting need of a prediction; times in milliseconds."""

    prediction_id: str
    model: str
    model_version: str
    predicted_at: int
    features: dict[str, Any]
    prediction: Value
    nonfinite: list[str]
    producer: str


class Said(NamedTuple):
    """What joining needs of a prediction that waits: when (ms), by which version, what it said."""

    predicted_at: int
    model_version: str
    prediction: Value


class LabelEvent(NamedTuple):
    """What joining needs of a label."""

    prediction_id: str
    model: str
    label: Value


class Refusal(Exception):  # noqa: N818 - an outcome at the edge, caught by the caller
    """Why an event is refused: a code and one sentence."""

    def __init__(self, reason: Reason, sentence: str) -> None:
        super().__init__(sentence)
        self.reason: Reason = reason
        self.sentence = sentence


def read_prediction(raw: bytes | None) -> PredictionEvent:
    """The prediction in `raw`; raises Refusal."""
    document = _document(raw)
    features = _required(document, "features")
    if not isinstance(features, dict):
        raise Refusal("invalid_field", "features: must be an object")
    if len(features) > MAX_FEATURES:
        raise Refusal("too_many_features", f"more than {MAX_FEATURES} features")
    _check_optional(document)
    if _may_be_wide(features):
        features = _exact_features(raw or b"")
    return PredictionEvent(
        _matching(document, "prediction_id", _is_id),
        _matching(document, "model", _is_name),
        _matching(document, "model_version", _is_name),
        _time(document, "predicted_at"),
        features,
        _value(document, "prediction"),
        document.get("nonfinite") or [],
        (document.get("producer") or {}).get("name", ""),
    )


def read_said(raw: bytes) -> Said:
    """The same of a body that `read_prediction` accepted before: nothing is judged again."""
    document = orjson.loads(raw)
    at = parse_time(document["predicted_at"])
    return Said(at, document["model_version"], document["prediction"])


def read_label(raw: bytes | None) -> LabelEvent:
    """The label in `raw`; raises Refusal."""
    document = _document(raw)
    _time(document, "labelled_at")
    if not _text_or_null(document.get("source")):
        raise Refusal("invalid_field", "source: must be a string")
    return LabelEvent(
        _matching(document, "prediction_id", _is_id),
        _matching(document, "model", _is_name),
        _value(document, "label"),
    )


def _document(raw: bytes | None) -> dict[str, Any]:
    if not raw:
        raise Refusal("empty", "the record has no value")
    if len(raw) > MAX_RECORD_BYTES:
        raise Refusal("too_large", f"{len(raw)} bytes are more than {MAX_RECORD_BYTES}")
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        if "ecursion" in error.msg or "depth" in error.msg:  # older and newer orjson
            raise Refusal("too_deep", f"nested deeper than {MAX_DEPTH}") from None
        raise Refusal("invalid_json", f"not JSON: {error.msg}") from None
    if not isinstance(document, dict):
        raise Refusal("not_an_object", "the value is JSON, but no object")
    # Brackets bound the depth from above; only documents with many are walked.
    if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH and not _shallow(document, MAX_DEPTH):
        raise Refusal("too_deep", f"nested deeper than {MAX_DEPTH}")
    return document


def _shallow(value: object, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(_shallow(item, levels - 1) for item in inner)


def _required(document: Mapping[str, Any], name: str) -> Any:
    try:
        return document[name]
    except KeyError:
        raise Refusal("missing_field", f"{name}: is missing") from None


def _matching(document: Mapping[str, Any], name: str, is_valid: Callable[[str], object]) -> str:
    value = document.get(name)
    if isinstance(value, str) and is_valid(value):
        return value
    if not isinstance(_required(document, name), str):
        raise Refusal("invalid_field", f"{name}: must be a string")
    raise Refusal("invalid_field", f"{name}: has characters or a length that are not allowed")


def _is_name(text: str) -> bool:
    return len(text) <= _LONGEST_NAME and _is_known_name(text)


@lru_cache(maxsize=1_024)  # an installation has few names, and every event carries two
def _is_known_name(text: str) -> bool:
    return _NAME(text) is not None


def _time(document: Mapping[str, Any], name: str) -> int:
    value = document.get(name)
    try:
        if isinstance(value, str):
            return parse_time(value)
    except ValueError:
        pass
    _required(document, name)
    raise Refusal("invalid_field", f"{name}: must be an RFC 3339 time")


def _value(document: Mapping[str, Any], name: str) -> Value:
    value = document.get(name)
    if isinstance(value, str):
        if len(value) <= MAX_OUTPUT_CHARACTERS:
            return value
        raise Refusal("invalid_field", f"{name}: is longer than {MAX_OUTPUT_CHARACTERS} characters")
    if isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value):
        return value
    _required(document, name)
    raise Refusal("invalid_field", f"{name}: must be a string (a class) or a number")


def _check_optional(document: Mapping[str, Any]) -> None:
    for name in document:
        is_valid = _OPTIONAL.get(name)
        if is_valid and document[name] is not None and not is_valid(document[name]):
            raise Refusal("invalid_field", f"{name}: is not what the schema says")


def _may_be_wide(features: Mapping[str, Any]) -> bool:
    for value in features.values():  # noqa: SIM110 - twice as fast as any(), and on every event
        if type(value) is float and not -WIDE < value < WIDE:
            return True
    return False


def _exact_features(raw: bytes) -> dict[str, Any]:
    """The features with their wide integers, which orjson reads as floats: those are invalid."""
    features: dict[str, Any] = json.loads(raw, parse_int=_integer)["features"]
    return features


def _integer(digits: str) -> int:
    return int(digits) if len(digits) <= 20 else 2**64  # Python refuses to read very long ones


def _text_or_null(value: object) -> bool:
    return value is None or isinstance(value, str)


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_route(value: object) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("arm"), str)
        and isinstance(value.get("reason"), str)
        and (value.get("propensity") is None or _number(value["propensity"]))
    )


def _is_producer(value: object) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("name"), str)
        and isinstance(value.get("version"), str)
    )


_OPTIONAL: Final[Mapping[str, Callable[[Any], bool]]] = {
    "probabilities": lambda v: isinstance(v, dict) and all(map(_number, v.values())),
    "segments": lambda v: isinstance(v, dict) and all(isinstance(x, str) for x in v.values()),
    "entity_id": lambda v: isinstance(v, str),
    "route": _is_route,
    "nonfinite": lambda v: isinstance(v, list) and all(isinstance(x, str) for x in v),
    "producer": _is_producer,
}
