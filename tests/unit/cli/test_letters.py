"""Which dead letters are meant, and where does each go when it is sent again?"""

from base64 import b64encode
from typing import Any

import orjson
import pytest

from driftline.cli.errors import CommandError
from driftline.cli.letters import Letter, Wanted, short_name, wanted_of
from driftline.cli.resending import plan
from driftline_schemas.dead_letters import DeadLetter
from driftline_schemas.partitioner import partition_of

EVENT = {"prediction_id": "id-1", "model": "churn", "producer": {"name": "shop", "version": "1.4"}}


def letter(value: bytes | None = None, *, kept: int | None = None, **fields: Any) -> Letter:
    raw = orjson.dumps(EVENT) if value is None else value
    told: dict[str, Any] = {
        "reason": "misplaced",
        "sentence": "it lies wrong",
        "topic": "driftline.predictions.v1",
        "partition": 3,
        "offset": 17,
        "service": "joiner",
        "version": "0.1.0",
        "key": "some key",
        "value": b64encode(raw[:kept]).decode(),
        "sha256": "0" * 64,
        "length": len(raw),
        **fields,
    }
    return Letter(2, 5, 1_790_000_000_000, DeadLetter(**told))


def test_a_letter_says_what_its_record_names() -> None:
    found = letter()
    assert (found.place, found.origin) == ("2:5", "driftline.predictions.v1/3/17")
    assert (found.model, found.producer) == ("churn", "shop 1.4")
    assert found.row["at"] == "2026-09-21T14:13:20.000Z"
    assert "value" not in found.row


@pytest.mark.parametrize(
    "value",
    [b"", b"{nonsense", b"[1, 2]", b'"text"', b"\xff\xfe", b'{"model": 3, "producer": "shop"}'],
    ids=["nothing", "no JSON", "a list", "a text", "no UTF-8", "other types"],
)
def test_what_cannot_be_read_names_nothing(value: bytes) -> None:
    found = letter(value)
    assert (found.model, found.producer) == ("unknown", "unknown")


@pytest.mark.parametrize(
    ("wanted", "takes"),
    [
        (Wanted(), True),
        (Wanted(reason="misplaced", topic="predictions", model="churn", service="joiner"), True),
        (Wanted(topic="driftline.predictions.v1"), True),
        (Wanted(reason="poison"), False),
        (Wanted(topic="labels"), False),
        (Wanted(model="fraud"), False),
        (Wanted(service="monitor"), False),
    ],
)
def test_letters_are_chosen_by_all_that_is_asked(wanted: Wanted, takes: bool) -> None:
    assert wanted.takes(letter()) is takes


def test_a_reason_or_topic_that_does_not_exist_is_told() -> None:
    assert wanted_of("misplaced", "shop.labels.v1", "m", None).topic == "shop.labels.v1"
    with pytest.raises(CommandError, match=r"'misplacd': did you mean 'misplaced'\?"):
        wanted_of("misplacd", None, None, None)
    with pytest.raises(CommandError, match=r"No topic is called 'x': it is one of predictions, "):
        wanted_of(None, "x", None, None)


def test_a_misplaced_event_goes_where_its_own_id_belongs() -> None:
    ((sent,), refused) = plan([letter()], "driftline")
    assert (sent.key, sent.partition) == (b"id-1", partition_of("id-1", 16))
    assert not sent.is_refused_again
    assert refused == []


def test_what_has_no_id_goes_back_to_where_it_lay() -> None:
    other = letter(b"{nonsense", reason="invalid_json", topic="driftline.labels.v1")
    ((sent,), _) = plan([other], "driftline")
    assert (sent.key, sent.partition, sent.is_refused_again) == (b"some key", 3, True)


def test_a_record_of_the_journal_keeps_its_partition() -> None:
    poison = letter(reason="poison", topic="driftline.journal.v1", key=None)
    ((sent,), _) = plan([poison], "driftline")
    assert (sent.key, sent.partition) == (None, 3)


@pytest.mark.parametrize(
    ("refused", "why"),
    [
        (letter(b"x" * 100, kept=60), "only 60 of its 100 bytes were kept"),
        (letter(value=b"", reason="empty"), None),
        (letter(topic="other.labels.v1"),
         "other.labels.v1 is no topic of this installation"),
    ],
    ids=["cut", "empty", "another installation"],
)  # fmt: skip
def test_what_cannot_be_sent_says_why(refused: Letter, why: str | None) -> None:
    _, left = plan([refused], "driftline")
    assert [each.why for each in left] == ([why] if why else [])


def test_a_record_without_a_value_stays() -> None:
    told = letter().told.model_copy(update={"value": None, "length": 0, "reason": "empty"})
    _, (left,) = plan([Letter(0, 0, 0, told)], "driftline")
    assert left.why == "it had no value"


def test_short_names() -> None:
    assert short_name("my.shop.dead-letters.v1") == "dead-letters"
