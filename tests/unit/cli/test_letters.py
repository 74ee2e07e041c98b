"""Which dead letters are meant, what does each say?"""

import orjson
import pytest

from driftline.cli.console import VisibleConsole
from driftline.cli.deadletters import _table
from driftline.cli.errors import CommandError
from driftline.cli.letters import Wanted, short_name, wanted_of
from driftline_schemas.codec import UnreadableEvent, decode
from driftline_schemas.dead_letters import DeadLetter
from tests.unit.cli.samples import letter


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
    ("producer", "shown"),
    [
        ({"name": "shop", "version": "\nA" * 60_000}, len("shop ") + 128),
        ({"name": "n" * 500, "version": "v" * 500}, 128 + 1 + 128),
        ({"name": "shop", "version": ["deep"] * 10_000}, len("shop")),
        ({"name": "shop", "version": 7}, len("shop")),
    ],
    ids=["many lines", "long", "a list", "a number"],
)
def test_a_producer_is_shown_in_part(producer: object, shown: int) -> None:
    assert len(letter(orjson.dumps({"model": "churn", "producer": producer})).producer) == shown


def test_bytes_that_are_no_base64_are_no_dead_letter() -> None:
    told = letter().told.model_dump(mode="json")
    assert decode(DeadLetter, orjson.dumps(told)) == letter().told
    with pytest.raises(UnreadableEvent, match=r"^value: Invalid base64"):
        decode(DeadLetter, orjson.dumps({**told, "value": "a"}))


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


def test_short_names() -> None:
    assert short_name("my.shop.dead-letters.v1") == "dead-letters"


def test_a_letter_of_a_hostile_producer_is_one_row_of_the_list(
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = {"model": "\n" * 100, "producer": {"name": "\x1b[2J", "version": "\n" * 60_000}}
    VisibleConsole(width=1_000).print(_table([letter(orjson.dumps(names))]))
    _, row, end = capsys.readouterr().out.split("\n")
    assert row.isprintable()
    assert r"\x1b[2J" in row
    assert end == ""
