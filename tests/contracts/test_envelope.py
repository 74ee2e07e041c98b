"""The joiner reads envelopes by hand, for speed: what it accepts, the schemas must accept too."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.core.joining.envelope import Refusal, read_label, read_prediction
from driftline_schemas.codec import UnreadableEvent, decode
from driftline_schemas.fields import Event
from driftline_schemas.labels import Label
from driftline_schemas.predictions import Prediction

GOLDEN = Path(__file__).parent / "golden"
Read = Callable[[bytes | None], object]
PREDICTION: dict[str, Any] = orjson.loads((GOLDEN / "prediction.v1.all_fields.json").read_bytes())
LABEL: dict[str, Any] = orjson.loads((GOLDEN / "label.v1.all_fields.json").read_bytes())
EVENTS = {"prediction": (PREDICTION, read_prediction, Prediction),
          "label": (LABEL, read_label, Label)}  # fmt: skip

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    TEXTS,
    st.sampled_from(
        ["2026-11-25T21:00:05Z", "a" * 128, "a" * 129, "b" * 1_024, "b" * 1_025, "é", "\x7f"]
    ),
)
KEYS = TEXTS | st.sampled_from(["arm", "reason", "propensity", "name", "version"])
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4)
)


def by_hand(read: Read, raw: bytes) -> bool:
    try:
        read(raw)
    except Refusal:
        return False
    return True


def by_schema(kind: type[Event], raw: bytes) -> bool:
    try:
        decode(kind, raw)
    except UnreadableEvent:
        return False
    return True


@pytest.mark.parametrize(("document", "read", "kind"), EVENTS.values(), ids=list(EVENTS))
@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_what_the_envelope_accepts_the_schema_accepts(
    document: dict[str, Any], read: Read, kind: type[Event], data: st.DataObject
) -> None:
    changes = data.draw(st.dictionaries(st.sampled_from(sorted(document)), VALUES, max_size=2))
    raw = orjson.dumps({**document, **changes})
    if by_hand(read, raw):
        assert by_schema(kind, raw)


@pytest.mark.parametrize(("document", "read", "kind"), EVENTS.values(), ids=list(EVENTS))
@pytest.mark.parametrize(
    "value",
    [None, True, 7, -1.5, "", "text", "a" * 129, "line\nbreak", [], ["x"], {}, {"name": "x"}],
    ids=repr,
)
def test_field_by_field_both_say_the_same(
    document: dict[str, Any], read: Read, kind: type[Event], value: object
) -> None:
    differ = []
    in_python = {"predicted_at", "labelled_at"} if value == 7 else set()  # a time is an int there
    for name in set(document) - in_python:
        raw = orjson.dumps({**document, name: value})
        if by_hand(read, raw) != by_schema(kind, raw):
            differ.append((name, by_hand(read, raw)))
    assert differ == []


@pytest.mark.parametrize(("document", "read", "kind"), EVENTS.values(), ids=list(EVENTS))
def test_an_event_may_leave_out_what_the_schema_lets_it(
    document: dict[str, Any], read: Read, kind: type[Event]
) -> None:
    for name in document:
        raw = orjson.dumps({key: value for key, value in document.items() if key != name})
        assert (
            by_hand(read, raw)
            == by_schema(kind, raw)
            == (not kind.model_fields[name].is_required())
        )
