"""Every event that was ever written must be read for ever: golden/<event>.v<n>[.<variant>].json."""

from pathlib import Path
from typing import get_args

import orjson
import pytest

from driftline_schemas.codec import UnreadableEvent, decode, encode
from driftline_schemas.control import CONTROLS, Control
from driftline_schemas.fields import Event
from driftline_schemas.journal import JOURNAL_RECORD, JournalRecord
from driftline_schemas.json_schemas import EVENTS, event_name
from driftline_schemas.registry import Fact, fact_hash
from driftline_schemas.topics import JOURNAL, TOPICS

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.json"))
KINDS: dict[str, type[Event]] = {event_name(kind): kind for kind in EVENTS}


def kind_of(path: Path) -> type[Event]:
    return KINDS[path.name.split(".")[0]]


golden = pytest.mark.parametrize("path", GOLDEN, ids=[path.stem for path in GOLDEN])


@golden
def test_a_golden_event_parses_and_is_written_again_as_it_was(path: Path) -> None:
    raw = path.read_bytes()
    assert orjson.loads(encode(decode(kind_of(path), raw))) == orjson.loads(raw)


@golden
def test_a_field_that_a_later_release_adds_does_not_stop_a_reader(path: Path) -> None:
    later = {**orjson.loads(path.read_bytes()), "added_later": {"deep": [1]}}
    kind = kind_of(path)
    assert decode(kind, orjson.dumps(later)) == decode(kind, path.read_bytes())


@golden
def test_without_any_one_of_its_required_fields_an_event_is_refused(path: Path) -> None:
    document, kind = orjson.loads(path.read_bytes()), kind_of(path)
    required = [
        field.alias or name for name, field in kind.model_fields.items() if field.is_required()
    ]
    for name in required:
        rest = {key: value for key, value in document.items() if key != name}
        with pytest.raises(UnreadableEvent, match=f"^{name}: "):
            decode(kind, orjson.dumps(rest))


@pytest.mark.parametrize("kind", EVENTS, ids=event_name)
def test_every_event_type_of_the_topics_has_a_golden_event(kind: type[Event]) -> None:
    assert any(path.name.startswith(f"{event_name(kind)}.v1") for path in GOLDEN)


@pytest.mark.parametrize("kind", EVENTS, ids=event_name)
def test_every_field_of_an_event_is_in_some_golden_event(kind: type[Event]) -> None:
    said = {
        key for path in GOLDEN if kind_of(path) is kind for key in orjson.loads(path.read_bytes())
    }
    assert {field.alias or name for name, field in kind.model_fields.items()} <= said


def test_every_record_of_the_journal_is_found_by_its_kind_and_action() -> None:
    for path in GOLDEN:
        if (kind := kind_of(path)) in JOURNAL.events:
            record = JOURNAL_RECORD.validate_python(orjson.loads(path.read_bytes()))
            assert type(record) is kind


def test_the_journal_lists_exactly_the_records_that_its_readers_know() -> None:
    union, _discriminator = get_args(JournalRecord)
    flat: set[type[Event]] = set()
    for member in get_args(union):
        inner = get_args(member)  # the controls are a union of their own, annotated
        flat |= set(get_args(inner[0])) if inner else {member}
    assert flat == set(JOURNAL.events)
    assert set(get_args(get_args(Control)[0])) == set(CONTROLS)


def test_a_recorded_spec_with_a_key_of_a_later_release_is_still_read() -> None:
    path = next(path for path in GOLDEN if path.name == "spec-control.v1.json")
    document = orjson.loads(path.read_bytes())
    document["body"]["spec"]["added_later"] = 1
    document["body"]["spec"]["features"][0]["added_later"] = 1
    before = JOURNAL_RECORD.validate_python(orjson.loads(path.read_bytes()))
    assert JOURNAL_RECORD.validate_python(document) == before


def test_a_golden_fact_carries_the_hash_of_its_content() -> None:
    facts = [orjson.loads(path.read_bytes()) for path in GOLDEN if kind_of(path) is Fact]
    assert facts
    assert [fact["hash"] for fact in facts] == [fact_hash(fact) for fact in facts]


def test_no_two_event_types_share_a_name() -> None:
    assert len(KINDS) == len(EVENTS)
    assert sum(len(topic.events) for topic in TOPICS) <= len(EVENTS)
