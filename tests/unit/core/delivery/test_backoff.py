"""Waits double, are spread, and a receiver's own wish goes first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.core.delivery.backoff import Backoff, retry_after

NOW = 1_795_640_405_000  # Wed, 25 Nov 2026 21:00:05 GMT


@pytest.mark.parametrize(
    ("attempts", "whole"), [(1, 1_000), (2, 2_000), (5, 16_000), (10, 300_000), (5_000, 300_000)]
)
def test_a_wait_lies_between_half_and_all_of_the_doubled_one(attempts: int, whole: int) -> None:
    assert whole / 2 <= Backoff().wait("0123456789abcdef/slack", attempts) <= whole


def test_the_same_alert_waits_the_same_and_others_wait_otherwise() -> None:
    waits = [Backoff().wait(f"alert-{i}/slack", 4) for i in range(100)]
    assert waits == [Backoff().wait(f"alert-{i}/slack", 4) for i in range(100)]
    assert len(set(waits)) > 90


@pytest.mark.parametrize(
    ("header", "moment"),
    [
        pytest.param("30", NOW + 30_000, id="seconds"),
        pytest.param(" 7 ", NOW + 7_000, id="seconds with blanks"),
        pytest.param("Wed, 25 Nov 2026 21:01:05 GMT", NOW + 60_000, id="a date"),
        pytest.param("Wed, 25 Nov 2026 22:01:05 +0100", NOW + 60_000, id="a date with an offset"),
        pytest.param("Wed, 25 Nov 2026 21:01:05 -0000", NOW + 60_000, id="a date without a zone"),
        pytest.param("0", None, id="at once"),
        pytest.param("Wed, 25 Nov 2020 21:01:05 GMT", None, id="a date in the past"),
        pytest.param("-5", None, id="negative"),
        pytest.param("soon", None, id="no number, no date"),
        pytest.param("9" * 5_000, None, id="absurd"),
        pytest.param("Wed, 99 Nov 2026 21:01:05 GMT", None, id="no day"),
        pytest.param("Wed, 25 Nov 2026 21:01:05 +99999999999999", None, id="an absurd offset"),
        pytest.param("", None, id="empty"),
        pytest.param(None, None, id="absent"),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, moment: int | None) -> None:
    assert retry_after(header, NOW) == moment


PIECES = ["Wed,", "25", "Nov", "2026", "21:01:05", "GMT", "-0000", "+9959", "9" * 14, ":", ",", "²"]


@given(st.text(max_size=40) | st.lists(st.sampled_from(PIECES), max_size=8).map(" ".join))
def test_no_header_that_a_receiver_invents_raises(header: str) -> None:
    moment = retry_after(header, NOW)
    assert moment is None or moment > NOW


def test_a_receiver_gets_an_hour_of_silence_at_most() -> None:
    assert Backoff().granted(NOW + 30_000, NOW) == NOW + 30_000
    assert Backoff().granted(NOW + 57 * 365 * 86_400_000, NOW) == NOW + 3_600_000
