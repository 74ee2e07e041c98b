"""What is a cookie worth, and a form's seal?"""

from hypothesis import given
from hypothesis import strategies as st

from driftline.api.roles import Role
from driftline.api.sessions import SECONDS, Sessions, cookie_of
from driftline.runtime.memory import ManualClock

KEYS = (b"operator-0123456789", b"viewer-0123456789")


def test_a_cookie_stands_for_its_role_for_twelve_hours() -> None:
    clock = ManualClock(1_000)
    sessions = Sessions(clock, KEYS)
    cookie = sessions.issue(Role.viewer)
    assert sessions.role(cookie) is Role.viewer
    clock.millis = 1_000 + SECONDS * 1_000
    assert sessions.role(cookie) is None


def test_every_process_with_these_tokens_knows_it_and_no_other() -> None:
    cookie = Sessions(ManualClock(0), KEYS).issue(Role.operator)
    assert Sessions(ManualClock(0), KEYS[::-1]).role(cookie) is Role.operator
    assert Sessions(ManualClock(0), KEYS[:1]).role(cookie) is None
    assert Sessions(ManualClock(0)).role(cookie) is None


@given(st.text(max_size=80))
def test_what_is_not_ours_is_worth_nothing(cookie: str) -> None:
    assert Sessions(ManualClock(0), KEYS).role(cookie) is None


def test_nobody_becomes_an_operator_by_writing() -> None:
    sessions = Sessions(ManualClock(0), KEYS)
    cookie = sessions.issue(Role.viewer).replace("viewer", "operator")
    assert sessions.role(cookie) is None
    assert sessions.role(f"operator.9.{sessions.form_seal('operator.9')}") is None


def test_a_form_belongs_to_the_cookie_that_it_was_made_for() -> None:
    sessions = Sessions(ManualClock(0), KEYS)
    seal = sessions.form_seal("a")
    assert sessions.is_own_form("a", seal)
    assert not sessions.is_own_form("b", seal)
    assert not sessions.is_own_form("a", "")


def test_without_tokens_each_process_has_a_secret_of_its_own() -> None:
    one, other = Sessions(ManualClock(0)), Sessions(ManualClock(0))
    assert not other.is_own_form("", one.form_seal(""))


def test_the_secret_is_not_shown() -> None:
    said = repr(Sessions(ManualClock(0), KEYS))
    assert said == "Sessions(clock=ManualClock(millis=0))"


def test_our_cookie_is_found_among_others() -> None:
    assert cookie_of(b"a=b; driftline_session=x.y.z; c=d") == "x.y.z"
    assert cookie_of(b"xdriftline_session=x") == ""
    assert cookie_of(None) == ""
