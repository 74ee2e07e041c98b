"""The ledger says what each channel is owed, debts say how far the partition is settled."""

from typing import Any

import pytest

from driftline.core.delivery.ledger import Debts, Ledger
from driftline_schemas.notifications import Notification
from tests.unit.alerter.samples import HOUR, NOW, an_alert


def told(channel: str, revision: int, **changes: Any) -> Notification:
    known = {"alert_id": "0123456789abcdef", "status": "firing", "result": "sent", "attempts": 1}
    return Notification.model_validate(
        {**known, "channel": channel, "revision": revision, "at": NOW, **changes}
    )


@pytest.mark.parametrize("result", ["sent", "failed", "parked"])
def test_a_settled_revision_is_not_owed_again_and_a_later_one_is(result: str) -> None:
    ledger = Ledger()
    ledger.note(told("slack", 2, result=result))
    assert not ledger.owes(an_alert(revision=1), "slack", NOW)
    assert not ledger.owes(an_alert(revision=2), "slack", NOW)
    assert ledger.owes(an_alert(revision=3), "slack", NOW)


def test_a_stale_notification_takes_nothing_back() -> None:
    ledger = Ledger()
    for revision in (3, 1):
        ledger.note(told("slack", revision))
    assert not ledger.owes(an_alert(revision=2), "slack", NOW)


def test_only_a_sent_notification_counts_as_heard() -> None:
    ledger = Ledger()
    ledger.note(told("slack", 1, result="failed"))
    assert not ledger.was_sent("0123456789abcdef", "slack")
    ledger.note(told("slack", 2))
    ledger.note(told("slack", 3, result="parked"))
    assert ledger.was_sent("0123456789abcdef", "slack")


@pytest.mark.parametrize(
    ("age", "owed"),
    [
        pytest.param(25 * HOUR, False, id="a new channel's past"),
        pytest.param(HOUR, True, id="may be a page that was still being retried"),
    ],
)
def test_what_others_heard_long_ago_is_the_past_of_a_new_channel(age: int, owed: bool) -> None:
    ledger = Ledger()
    ledger.note(told("slack", 1))
    assert ledger.owes(an_alert(at=NOW - age), "pagerduty", NOW) is owed


def test_an_old_alert_that_nobody_heard_of_is_owed_to_all() -> None:
    assert Ledger().owes(an_alert(at=NOW - 25 * HOUR), "slack", NOW)


def test_the_first_unsettled_offset_waits_for_every_channel() -> None:
    debts = Debts()
    for offset in (4, 6):
        debts.owe(offset, 2)
    debts.owe(5, 0)
    steps = [debts.first(7)]
    for offset in (6, 4, 4, 6):
        debts.settle(offset)
        steps.append(debts.first(7))
    assert steps == [4, 4, 4, 6, 7]
