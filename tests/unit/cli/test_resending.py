"""Where does a dead letter go when it is sent again, and which stay?"""

import pytest

from driftline.cli.letters import Letter
from driftline.cli.resending import plan
from driftline.cli.resent import Resent, note_of
from driftline_schemas.partitioner import partition_of
from tests.unit.cli.samples import letter

COPY = "driftline.predictions.v1/9/40"


def test_a_misplaced_event_goes_where_its_own_id_belongs() -> None:
    ((sent,), kept) = plan([letter()], "driftline")
    assert (sent.key, sent.partition) == (b"id-1", partition_of("id-1", 16))
    assert not sent.is_refused_again
    assert kept == []


def test_what_has_no_id_goes_back_to_where_it_lay() -> None:
    other = letter(b"{nonsense", reason="invalid_json", topic="driftline.labels.v1")
    ((sent,), _) = plan([other], "driftline", again=True)
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
    _, kept = plan([refused], "driftline", again=True)
    assert [(each.why, each.fate) for each in kept] == ([(why, "stuck")] if why else [])


def test_a_record_without_a_value_stays() -> None:
    told = letter().told.model_copy(update={"value": None, "length": 0, "reason": "empty"})
    _, (left,) = plan([Letter(0, 0, 0, told)], "driftline")
    assert left.why == "it had no value"


def told(sent: Letter, copy: str = COPY) -> Resent:
    """What is known once the letter was sent and its copy lies at `copy`."""
    notes = Resent()
    notes.note(dict(note_of(sent, copy)))
    return notes


def test_a_record_without_our_headers_is_no_note() -> None:
    notes = Resent()
    notes.note({})
    notes.note({"driftline-resent-from": letter().origin.encode()})
    notes.note({"driftline-resent-from": None, "driftline-resent-to": b"x"})
    assert notes.copies(letter()) == set()


def test_a_place_that_is_named_twice_is_sent_once() -> None:
    planned, kept = plan([letter(), letter()], "driftline")
    assert (len(planned), kept) == (1, [])


def test_what_was_sent_stays_until_it_is_asked_for_again() -> None:
    planned, (kept,) = plan([letter()], "driftline", told(letter()))
    assert (planned, kept.why, kept.fate) == ([], "sent again already", "done")
    ((sent,), none) = plan([letter()], "driftline", told(letter()), again=True)
    assert (sent.letter.place, none) == ("2:5", [])


@pytest.mark.parametrize("reason", ["invalid_json", "invalid_field", "too_deep", "empty"])
def test_what_was_refused_for_itself_stays_until_it_is_asked_for(reason: str) -> None:
    planned, (kept,) = plan([letter(reason=reason)], "driftline")
    assert (planned, kept.fate) == ([], "held")
    ((sent,), none) = plan([letter(reason=reason)], "driftline", again=True)
    assert (sent.is_refused_again, none) == (True, [])


@pytest.mark.parametrize("reason", ["poison", "invalid_field"])
def test_letters_do_not_double_however_often_they_are_sent(reason: str) -> None:
    """Each run, with and without --again, sees the letters that the runs before it left."""
    notes = Resent()
    letters = [letter(reason=reason)]
    for run in range(5):
        first, _ = plan(letters, "driftline", notes)
        planned, _ = plan(letters, "driftline", notes, again=True)
        assert len(planned) == 1
        assert len(first) == (1 if run == 0 and reason == "poison" else 0)
        copy = 1_000 + run
        notes.note(dict(note_of(planned[0].letter, f"driftline.predictions.v1/3/{copy}")))
        letters.append(letter(reason=reason, place=6 + run, offset=copy))  # refused once more
    assert [each.letter.offset for each in planned] == [9]
