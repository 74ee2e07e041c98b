"""What is a cookie worth, and a form's seal?"""

from hypothesis import given
from hypothesis import strategies as st

from driftline.api.roles import Role
from driftline.api.sessions import MOST_ENDED, SECONDS, Sessions, cookie_of
from driftline.runtime.memory import ManualClock

OPERATORS, VIEWERS = {b"operator-0123456789": Role.operator}, {b"viewer-0123456789": Role.viewer}
TOKENS = {**OPERATORS, **VIEWERS}


def test_a_cookie_stands_for_its_role_for_twelve_hours() -> None:
    clock = ManualClock(1_000)
    sessions = Sessions(clock, TOKENS)
    cookie = sessions.issue(Role.viewer)
    assert sessions.role(cookie) is Role.viewer
    clock.millis = 1_000 + SECONDS * 1_000
    assert sessions.role(cookie) is None


def test_every_process_with_its_token_knows_it_and_no_other() -> None:
    cookie = Sessions(ManualClock(0), TOKENS).issue(Role.operator)
    assert Sessions(ManualClock(0), TOKENS).role(cookie) is Role.operator
    assert Sessions(ManualClock(0), OPERATORS).role(cookie) is Role.operator
    assert Sessions(ManualClock(0), VIEWERS).role(cookie) is None
    assert Sessions(ManualClock(0), {b"another-0123456789": Role.operator}).role(cookie) is None
    assert Sessions(ManualClock(0)).role(cookie) is None


def test_a_role_without_a_token_has_no_cookie() -> None:
    sessions = Sessions(ManualClock(0), VIEWERS)
    assert sessions.role(sessions.issue(Role.operator)) is None
    assert sessions.role(sessions.issue(Role.viewer)) is Role.viewer


@given(st.text(max_size=80))
def test_what_is_not_ours_is_worth_nothing(cookie: str) -> None:
    assert Sessions(ManualClock(0), TOKENS).role(cookie) is None


def test_nobody_becomes_an_operator_by_writing() -> None:
    sessions = Sessions(ManualClock(0), TOKENS)
    cookie = sessions.issue(Role.viewer).replace("viewer", "operator")
    assert sessions.role(cookie) is None
    assert sessions.role(f"operator.9.{sessions.form_seal(Role.operator, 'operator.9')}") is None


def test_a_cookie_that_was_ended_is_worth_nothing_and_others_are() -> None:
    sessions = Sessions(ManualClock(0), TOKENS)
    one, other = sessions.issue(Role.viewer), sessions.issue(Role.viewer)
    sessions.end(one)
    sessions.end("not ours")
    assert (sessions.role(one), sessions.role(other)) == (None, Role.viewer)


def test_ended_cookies_are_forgotten_at_their_end_and_bounded() -> None:
    clock = ManualClock(0)
    sessions = Sessions(clock, TOKENS)
    for _ in range(MOST_ENDED + 1):
        sessions.end(sessions.issue(Role.viewer))
    assert len(sessions._ended) == MOST_ENDED
    clock.millis = SECONDS * 1_000
    sessions.end(sessions.issue(Role.viewer))
    assert len(sessions._ended) == 1


def test_a_form_belongs_to_the_cookie_that_it_was_made_for() -> None:
    sessions = Sessions(ManualClock(0), TOKENS)
    seal = sessions.form_seal(Role.viewer, "a")
    assert sessions.is_own_form(Role.viewer, "a", seal)
    assert not sessions.is_own_form(Role.viewer, "b", seal)
    assert not sessions.is_own_form(Role.operator, "a", seal)
    assert not sessions.is_own_form(Role.viewer, "a", "")


def test_without_tokens_each_process_has_a_secret_of_its_own() -> None:
    one, other = Sessions(ManualClock(0)), Sessions(ManualClock(0))
    seal = one.form_seal(Role.operator, "")
    assert one.is_own_form(Role.operator, "", seal)
    assert not other.is_own_form(Role.operator, "", seal)


def test_the_secret_is_not_shown() -> None:
    said = repr(Sessions(ManualClock(0), TOKENS))
    assert said == "Sessions(clock=ManualClock(millis=0))"


def test_our_cookie_is_found_among_others() -> None:
    assert cookie_of(b"a=b; driftline_session=x.y.z; c=d") == "x.y.z"
    assert cookie_of(b"xdriftline_session=x") == ""
    assert cookie_of(None) == ""
