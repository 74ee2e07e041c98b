"""What a model sees: of a recorded prediction, and of a row of a file."""

import csv
import gzip
import io
from collections.abc import Iterator, Mapping
from typing import Any

Features = dict[str, float | str]
Row = tuple[Features, str | float]
GZIP = b"\x1f\x8b"
WORDS = {"true": True, "1": True, "false": False, "0": False}


def seen(features: Mapping[str, Any], kinds: Mapping[str, str]) -> Features:
    """By name; numbers and truth values as float, categories as str. All else is left out."""
    found: Features = {}
    for name in sorted(kinds):
        value = _value(kinds[name], features.get(name))
        if value is not None:
            found[name] = value
    return found


def _value(kind: str, value: Any) -> float | str | None:
    if kind == "categorical":
        return value if isinstance(value, str) and len(value.encode()) <= 1024 else None
    if kind == "boolean":
        return float(value) if isinstance(value, bool) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if is_learnable(value) else None


def is_learnable(value: str | float) -> bool:
    """Whether models learn it: numbers beyond 1e15 are left out, and so are labels."""
    return isinstance(value, str) or abs(value) <= 1e15


def rows_of(
    payload: bytes, kinds: Mapping[str, str], label: str, *, numeric_label: bool
) -> Iterator[Row]:
    """Features and truth of each row of a CSV file with a header, which may be compressed; rows
    without a truth are left out."""
    plain = gzip.decompress(payload) if payload.startswith(GZIP) else payload
    for row in csv.DictReader(io.StringIO(plain.decode("utf-8-sig"), newline="")):
        read = {name: _field(kind, row[name]) for name, kind in kinds.items()}
        truth = row[label]
        if truth == "":
            continue
        yield seen(read, kinds), float(truth) if numeric_label else _class(truth)


def _field(kind: str, text: str) -> Any:
    if kind == "boolean":
        return WORDS.get(text.strip().lower())
    if kind == "categorical":
        return text or None
    try:
        return float(text)
    except ValueError:
        return None


def _class(text: str) -> str:
    return text.lower() if text in ("True", "False", "TRUE", "FALSE") else text
