"""Is a record an event of predictions or labels, and if not, for which reasons is it refused?"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeGuard

import orjson

from tests.verifier.murmur import partition_for
from tests.verifier.times import millis

MAX_BYTES = 256 * 1024
MAX_DEPTH = 8
MAX_FEATURES = 1000
MAX_OUTPUT_CHARACTERS = 1024
_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,128}")
_NESTING = (dict, list)

Json = dict[str, Any]
REQUIRED = {
    "predictions": (
        "prediction_id", "model", "model_version", "predicted_at", "features", "prediction",
    ),
    "labels": ("prediction_id", "model", "label", "labelled_at"),
}  # fmt: skip


class Refused(NamedTuple):
    """More than one reason where a record has several faults: any of them is a fair answer."""

    reasons: frozenset[str]


@dataclass(frozen=True, slots=True)
class Gate:
    """Judges the records of one input topic: "predictions" or "labels"."""

    topic: str
    partitions: int

    def admit(self, value: bytes | None, partition: int) -> Json | Refused:
        """The document, or why it is none of ours."""
        document = parse(value)
        if isinstance(document, Refused):
            return document
        faults = set(self._field_faults(document))
        if deeper_than(document, MAX_DEPTH):
            faults.add("too_deep")
        if is_id(name := document.get("prediction_id")) and self._home(name) != partition:
            faults.add("misplaced")
        return Refused(frozenset(faults)) if faults else document

    def _home(self, prediction_id: str) -> int:
        return partition_for(prediction_id.encode(), self.partitions)

    def _field_faults(self, document: Json) -> list[str]:
        faults = []
        for name in REQUIRED[self.topic]:
            if name not in document:
                faults.append("missing_field")
            elif document[name] is None:
                faults += ["missing_field", "invalid_field"]
            elif not _VALID[name](document[name]):
                faults.append("invalid_field")
        features = document.get("features")
        if self.topic == "predictions" and isinstance(features, dict):
            faults += ["too_many_features"] * (len(features) > MAX_FEATURES)
        return faults


def parse(value: bytes | None) -> Json | Refused:
    """The JSON object in `value`; size is judged before content."""
    if value is None:
        return Refused(frozenset({"empty"}))
    if len(value) > MAX_BYTES:
        return Refused(frozenset({"too_large"}))
    try:
        document = orjson.loads(value)
    except orjson.JSONDecodeError:
        return Refused(frozenset(_unreadable(value)))
    if not isinstance(document, dict):
        return Refused(frozenset({"not_an_object"}))
    return document


def exact_features(value: bytes) -> Json:
    """The document once more, where integers over 64 bit have not become floats in the parser."""
    document: Json = orjson.loads(value)
    numbers = [number for number in document["features"].values() if type(number) is float]
    if numbers and max(map(abs, numbers)) >= 2**63:
        document = json.loads(value)
    return document


def deeper_than(document: object, limit: int) -> bool:
    """Whether objects and arrays nest deeper than `limit` levels, the outermost being the first."""
    level = [document]
    for _ in range(limit):
        level = [inner for outer in level for inner in _inside(outer) if type(inner) in _NESTING]
        if not level:
            return False
    return True


def _inside(nesting: Any) -> Iterable[object]:
    return nesting.values() if type(nesting) is dict else nesting


def is_id(value: object) -> TypeGuard[str]:
    """Whether `value` is a prediction id."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def is_output(value: object) -> bool:
    """Whether `value` is a class or a number; the parser lets only finite numbers through."""
    if isinstance(value, str):
        return len(value) <= MAX_OUTPUT_CHARACTERS
    return type(value) in (int, float)


def same_output(left: object, right: object) -> bool:
    """Equal labels are of the same JSON kind: "1" is not 1, while 1 is 1.0."""
    return isinstance(left, str) is isinstance(right, str) and left == right


def _is_name(value: object) -> bool:
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def _is_time(value: object) -> bool:
    try:
        millis(value)
    except ValueError:
        return False
    return True


def _unreadable(value: bytes) -> set[str]:
    # The parser gives up at a depth of 1,024, and nothing at all is at once empty and no JSON.
    reasons = {"invalid_json"}
    if value.count(b"[") + value.count(b"{") > 1000:
        reasons.add("too_deep")
    if not value:
        reasons.add("empty")
    return reasons


_VALID = {
    "prediction_id": is_id,
    "model": _is_name,
    "model_version": _is_name,
    "predicted_at": _is_time,
    "labelled_at": _is_time,
    "features": lambda value: isinstance(value, dict),
    "prediction": is_output,
    "label": is_output,
}
