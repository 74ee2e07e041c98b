"""What is written is read again; what JSON cannot say is refused; a refusal quotes no value."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from driftline_schemas.codec import UnreadableEvent, canonical, content_hash, decode, encode
from driftline_schemas.control import BinsControl
from driftline_schemas.fields import (
    EARLIEST,
    EPOCH,
    LATEST,
    Event,
    Millis,
    format_time,
    parse_time,
)
from driftline_schemas.json_schemas import EVENTS, event_name
from driftline_schemas.labels import Label
from driftline_schemas.predictions import Prediction
from driftline_schemas.verdicts import Verdict
from tests.contracts.strategies import events

GOLDEN = Path(__file__).parent / "golden"
SECRET = "s3cr3t"
LABEL = {
    "prediction_id": "order-17",
    "model": "churn",
    "label": "true",
    "labelled_at": "2026-11-25T21:00:05.007Z",
}


# -- events ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", EVENTS, ids=event_name)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_an_event_that_is_written_is_read_as_it_was(kind: type[Event], data: st.DataObject) -> None:
    event = data.draw(events(kind))
    assert decode(kind, encode(event)) == event


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.integers(0, 9)))
def test_equal_values_have_equal_canonical_bytes(value: dict[str, int]) -> None:
    other = dict(reversed(value.items()))
    assert canonical(value) == canonical(other)
    assert content_hash(value) == content_hash(other)


@pytest.mark.parametrize(
    ("label", "read"),
    [("true", "true"), ("1", "1"), (1, 1), (1.5, 1.5), (-7, -7)],
    ids=["class", "class in digits", "integer", "float", "negative"],
)
def test_a_class_stays_a_string_and_a_value_stays_a_number(label: Any, read: str | float) -> None:
    event = decode(Label, orjson.dumps({**LABEL, "label": label}))
    assert event.label == read
    assert type(event.label) is type(read)


@pytest.mark.parametrize("label", [True, None, ["true"], {}, "x" * 1_025])
def test_what_is_neither_a_class_nor_a_number_is_refused(label: object) -> None:
    with pytest.raises(UnreadableEvent, match=r"^label"):
        decode(Label, orjson.dumps({**LABEL, "label": label}))


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e400", "-1e400"])
@pytest.mark.parametrize(
    ("kind", "file", "field"),
    [
        (Label, "label.v1.json", rb'"label": "false"'),
        (Prediction, "prediction.v1.json", rb'"spent": 12.5'),
        (Verdict, "verdict.v1.data.json", rb'"effect": 0.21'),
        (BinsControl, "bins-control.v1.json", rb'"n": 1005'),
    ],
    ids=["label", "feature", "effect", "count"],
)
def test_a_number_that_json_cannot_say_is_refused_anywhere(
    kind: type[Event], file: str, field: bytes, value: str
) -> None:
    raw = (GOLDEN / file).read_bytes()
    name = field.partition(b":")[0]
    assert field in raw
    with pytest.raises(UnreadableEvent, match=r"^not JSON"):
        decode(kind, raw.replace(field, name + b": " + value.encode()))


@pytest.mark.parametrize("raw", [None, b"", b"{", b"\xff\xfe", b"[" * 5_000, b'{"a": "\xff"}'])
def test_bytes_that_are_no_json_are_refused(raw: bytes | None) -> None:
    with pytest.raises(UnreadableEvent, match=r"^not JSON"):
        decode(Label, raw)


@pytest.mark.parametrize("raw", [b"[]", b"null", b"7", b'"text"'])
def test_json_that_is_no_object_is_refused(raw: bytes) -> None:
    with pytest.raises(UnreadableEvent, match=r"^event: "):
        decode(Label, raw)


# -- refusals --------------------------------------------------------------------------------------


def spoiled(value: object) -> list[tuple[type[Event], str, bytes]]:
    """Each field of each golden event, one at a time, replaced by `value`."""
    kinds = {event_name(kind): kind for kind in EVENTS}
    found: list[tuple[type[Event], str, bytes]] = []
    for path in sorted(GOLDEN.glob("*.json")):
        document, kind = orjson.loads(path.read_bytes()), kinds[path.name.split(".")[0]]
        found += [(kind, name, orjson.dumps({**document, name: value})) for name in document]
    return found


@pytest.mark.parametrize(
    "value",
    [f"{SECRET}\n", [SECRET], {"kind": SECRET}, {"body": {"spec": [SECRET]}}],
    ids=["text", "list", "object", "deep"],
)
def test_a_refusal_says_where_and_why_but_never_the_value(value: object) -> None:
    refusals = [(name, refusal(kind, raw)) for kind, name, raw in spoiled(value)]
    sentences = [(name, sentence) for name, sentence in refusals if sentence is not None]
    assert len(sentences) > 50
    for name, sentence in sentences:
        assert sentence.startswith(name)
        assert SECRET not in sentence
        assert "\n" not in sentence


def refusal(kind: type[Event], raw: bytes) -> str | None:
    try:
        decode(kind, raw)
    except UnreadableEvent as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    "text", [f"2026-11-25 {SECRET}", "2026-13-41T25:61:61Z", "0001-01-01T00:00:00Z"]
)
def test_a_refused_time_is_not_quoted(text: str) -> None:
    with pytest.raises(UnreadableEvent, match=r"^labelled_at: is ") as caught:
        decode(Label, orjson.dumps({**LABEL, "labelled_at": text}))
    assert text not in str(caught.value)


def test_a_refusal_is_short_however_long_a_key_is() -> None:
    document = orjson.loads((GOLDEN / "prediction.v1.json").read_bytes())
    document["probabilities"] = {"k" * 100_000: "high"}
    with pytest.raises(UnreadableEvent) as caught:
        decode(Prediction, orjson.dumps(document))
    assert len(str(caught.value)) < 250


# -- times -----------------------------------------------------------------------------------------


@given(st.integers(EARLIEST, LATEST))
def test_a_time_that_is_written_is_read_as_it_was(millis: int) -> None:
    text = format_time(millis)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text)
    assert parse_time(text) == millis


@given(
    st.datetimes(datetime(2, 1, 3), datetime(9999, 12, 29)),  # noqa: DTZ001 - the zone is drawn too
    st.integers(-23 * 60 - 59, 23 * 60 + 59),
)
def test_an_offset_from_utc_is_taken_into_account(local: datetime, minutes: int) -> None:
    sign, (hours, rest) = "-" if minutes < 0 else "+", divmod(abs(minutes), 60)
    moment = local.replace(tzinfo=UTC) - timedelta(minutes=minutes)
    text = f"{local.isoformat()}{sign}{hours:02}:{rest:02}"
    assert parse_time(text) == (moment - EPOCH) // timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("text", "millis"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01t00:00:00z", 0),
        ("1970-01-01 00:00:00.5Z", 500),
        ("1970-01-01T00:00:00.0019Z", 1),
        ("1969-12-31T23:59:59.9999Z", -1),
        ("1970-01-01T01:00:00.123456789+01:00", 123),
        ("9999-12-31T23:59:59.999Z", LATEST),
        ("0002-01-01T00:00:00Z", EARLIEST),
    ],
)
def test_a_time_may_be_written_in_any_form_of_rfc_3339(text: str, millis: int) -> None:
    assert parse_time(text) == millis


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-25",
        "2026-11-25T21:00:05",
        "2026-11-25T21:00Z",
        "2026-11-25T21:00:05.Z",
        "2026-11-25T21:00:05+0100",
        "2026-11-25T21:00:60Z",
        "2026-02-29T00:00:00Z",
        "2026-11-25T21:00:05+24:00",
        " 2026-11-25T21:00:05Z",
        "2026-11-25T21:00:05Z\n",
        "٢٠٢٦-11-25T21:00:05Z",
        "9999-12-31T23:59:59-10:00",
        "0001-06-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
    ],
)
def test_anything_else_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match=r"is (no RFC 3339 time|a time before year 2)"):
        parse_time(text)


@pytest.mark.parametrize(
    "value", [LATEST + 1, EARLIEST - 1, 10**17, -(10**30), 1e17, float("nan"), float("-inf"), True]
)
def test_a_number_is_no_time_that_could_not_be_written(value: float) -> None:
    with pytest.raises(ValidationError, match=r"is (no RFC 3339 time|a time before year 2)"):
        TypeAdapter(Millis).validate_python(value)
