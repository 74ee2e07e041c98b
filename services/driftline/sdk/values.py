"""Turn what a model eats and answers into what JSON and the contracts can say."""

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from math import isfinite
from numbers import Real
from typing import Any, Final, Literal

import orjson

from driftline_schemas.fields import (
    EPOCH,
    ID_PATTERN,
    MAX_OUTPUT_CHARACTERS,
    NAME_PATTERN,
    parse_time,
)
from driftline_schemas.topics import MAX_DEPTH, MAX_FEATURES

Task = Literal["binary", "multiclass", "regression"]

PLAIN: Final = frozenset({int, str, bool, type(None)})
FEATURE_DEPTH: Final = MAX_DEPTH - 2  # the event and its features take two levels
ID: Final = re.compile(ID_PATTERN)
NAME: Final = re.compile(NAME_PATTERN)


class RefusedError(ValueError):
    """An event that is dropped: `reason` is what the counter is called, the message a sentence."""

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason


def invalid(sentence: str) -> RefusedError:
    """The app passed something that the envelope cannot carry."""
    return RefusedError("invalid_field", sentence)


def checked_id(value: object) -> str:
    """An id as the contracts allow it; an int becomes its digits."""
    value = _scalar(value)
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not ID.fullmatch(text):
        raise invalid("prediction_id must be 1 to 128 of A-Z a-z 0-9 . _ : -")
    return text


def checked_name(value: object, field: str) -> str:
    """A model's name or version."""
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise invalid(f"{field} must be a string of 1 to 128 characters, none of them control")
    return value


def plain_features(features: object, *, strictly: bool = False) -> tuple[dict[str, Any], list[str]]:
    """Features as JSON values, and the names of those that it cannot say: they are null.

    A feature never refuses its event. `strictly` tries every value: integers over 64 bit and
    broken strings only show when they are encoded, so that is done if encoding failed.
    """
    plain = _as_dict(features)
    if len(plain) > MAX_FEATURES:
        raise RefusedError("too_many_features", f"{len(plain)} features are over {MAX_FEATURES}")
    if strictly:
        plain = {_sayable_name(name): value for name, value in plain.items()}
    odd = list(plain) if strictly else [name for name, value in plain.items() if _is_odd(value)]
    if not odd:
        return plain, odd
    plain = dict(plain)
    lost = []
    for name in odd:
        plain[name], sayable = _plain(plain[name])
        if not sayable:
            lost.append(name)
    return plain, lost


def output(value: object, task: Task | None, field: str) -> str | int | float:
    """A prediction or label: a class is a string, a regression value a finite number."""
    value = _scalar(value)
    if isinstance(value, float | int) and not isinstance(value, bool):
        return _number(value, task, field)
    if task == "regression":
        raise invalid(f"{field} must be a number: the task is regression")
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        raise invalid(f"{field} must be a string or a number, not {type(value).__name__}")
    if len(value) > MAX_OUTPUT_CHARACTERS:
        raise invalid(f"{field} is longer than {MAX_OUTPUT_CHARACTERS} characters")
    return str(value)


def class_probabilities(value: Mapping[object, object]) -> dict[str, float] | None:
    """Probability by class; None if one of them is no finite number."""
    probabilities = {text(name): _scalar(p) for name, p in value.items()}
    numbers = {name: float(p) for name, p in probabilities.items() if isinstance(p, Real)}
    complete = len(numbers) == len(probabilities) and all(map(isfinite, numbers.values()))
    return numbers if complete else None


def text(value: object) -> str:
    """A class, segment or entity as the contracts write it."""
    value = _scalar(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def millis(value: object, now: Callable[[], int], field: str) -> int:
    """Milliseconds since the epoch of a datetime with a zone, an RFC 3339 string, or now."""
    if value is None:
        return now()
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise invalid(f"{field} has no time zone")
        return (value - EPOCH) // timedelta(milliseconds=1)
    if isinstance(value, str):
        try:
            return parse_time(value)
        except ValueError as error:
            raise invalid(f"{field}: {error}") from None
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 253_402_300_800_000:
        return value
    raise invalid(f"{field} must be a datetime with a zone, RFC 3339, or milliseconds")


def _number(value: float, task: Task | None, field: str) -> str | int | float:
    if isinstance(value, float) and not isfinite(value):
        raise invalid(f"{field} is not finite")
    if task is None or task == "regression":
        return value
    if value != int(value):
        raise invalid(f"{field} is {value}, no class: a score belongs into probabilities")
    return str(int(value))


def _as_dict(features: object) -> dict[Any, Any]:
    if type(features) is dict:
        return features
    items = getattr(features, "items", None)  # any mapping, or a row of a data frame
    if not callable(items):
        raise invalid(f"features must be a mapping, not {type(features).__name__}")
    return dict(items())


def _is_odd(value: object) -> bool:
    kind = type(value)
    return not isfinite(value) if kind is float else kind not in PLAIN  # type: ignore[arg-type]


def _scalar(value: object) -> object:
    """The Python value of a numpy scalar; anything else unchanged."""
    if type(value) in PLAIN or type(value) is float:
        return value
    item = getattr(value, "item", None)
    return item() if callable(item) and getattr(value, "ndim", None) == 0 else value


def _plain(value: object) -> tuple[Any, bool]:
    """A value as JSON says it and True, or None and False."""
    value = _scalar(value)
    if isinstance(value, date):
        value = value.isoformat()
    elif isinstance(value, Decimal | Fraction):
        value = float(value)
    if isinstance(value, float):
        return (float(value), True) if isfinite(value) else (None, False)
    sayable = _is_shallow(value, FEATURE_DEPTH) and _encodes(value)
    return (value, True) if sayable else (None, False)


def _is_shallow(value: object, levels: int) -> bool:
    if isinstance(value, Mapping):
        return levels > 0 and all(_is_shallow(part, levels - 1) for part in value.values())
    if isinstance(value, list | tuple):
        return levels > 0 and all(_is_shallow(part, levels - 1) for part in value)
    return True


def _sayable_name(name: object) -> str:
    return str(name).encode(errors="replace").decode()


def _encodes(value: object) -> bool:
    try:
        orjson.dumps(value)
    except TypeError:
        return False
    return True
