"""What waits for a channel: order within an alert, newest news first of all, nothing lost."""

from hypothesis import given
from hypothesis import strategies as st

from driftline.core.delivery.backoff import Backoff
from driftline.core.delivery.ledger import Debts, Ledger
from driftline.core.delivery.outbox import Outbox, Waiting
from driftline_schemas.alerts import Status
from driftline_schemas.notifications import Notification
from tests.unit.alerter.samples import HOUR, NOW, an_alert

P = {5}


class Desk:
    """An outbox of one channel, with the debts of one partition."""

    def __init__(self) -> None:
        self.ledger, self.debts = Ledger(), Debts()
        self.outbox = Outbox("slack", self.ledger)
        self.offset = 0

    def add(self, status: Status, revision: int, alert: str = "a", due: int = NOW) -> Waiting:
        waiting = Waiting(
            alert=an_alert(alert_id=alert * 16, status=status, revision=revision),
            partition=5, offset=self.offset, debts=self.debts, since=NOW, due=due,
        )  # fmt: skip
        self.debts.owe(self.offset, 1)
        self.offset += 1
        self.outbox.add(waiting)
        return waiting

    def send(self, now: int = NOW) -> tuple[str, int] | None:
        if (waiting := self.outbox.take(now, P)) is None:
            return None
        self.note(waiting)
        self.outbox.settle(waiting)
        return waiting.alert.status, waiting.alert.revision

    def note(self, waiting: Waiting) -> None:
        alert = waiting.alert
        self.ledger.note(
            Notification(
                alert_id=alert.alert_id, status=alert.status, revision=alert.revision,
                channel="slack", result="sent", attempts=1, at=NOW,
            )
        )  # fmt: skip

    def send_all(self) -> list[tuple[str, int]]:
        sent = []
        while (one := self.send()) is not None:
            sent.append(one)
        return sent


def test_of_several_openings_only_the_newest_is_sent() -> None:
    desk = Desk()
    desk.add("firing", 1)
    desk.add("worse", 2)
    desk.add("worse", 3)
    assert desk.send_all() == [("worse", 3)]
    assert desk.debts.first(99) == 99


def test_an_unsent_opening_is_sent_before_the_closing_that_followed() -> None:
    desk = Desk()
    desk.add("firing", 1)
    desk.add("worse", 2)
    desk.add("resolved", 3)
    assert desk.send_all() == [("worse", 2), ("resolved", 3)]


def test_a_channel_that_knows_the_alert_hears_only_that_it_closed() -> None:
    desk = Desk()
    desk.add("firing", 1)
    assert desk.send() == ("firing", 1)
    desk.add("worse", 2)
    desk.add("resolved", 3)
    assert desk.send_all() == [("resolved", 3)]
    assert desk.debts.first(99) == 99


def test_while_an_opening_flies_a_closing_waits_and_replaces_what_lies_between() -> None:
    desk = Desk()
    desk.add("firing", 1)
    flying = desk.outbox.take(NOW, P)
    assert flying is not None
    desk.add("worse", 2)
    desk.add("resolved", 3)
    flying.attempts = 1
    desk.outbox.again(flying, NOW, None)
    assert desk.debts.first(99) == 0
    assert desk.send(NOW) is None  # the closing does not overtake the opening that is retried
    assert [desk.send(NOW + 2_000), desk.send(NOW + 2_000)] == [("firing", 1), ("resolved", 3)]


def test_a_failed_opening_gives_way_to_a_worse_one_that_came_meanwhile() -> None:
    desk = Desk()
    desk.add("firing", 1)
    flying = desk.outbox.take(NOW, P)
    assert flying is not None
    desk.add("worse", 2)
    flying.attempts = 1
    desk.outbox.again(flying, NOW, None)
    assert desk.send_all() == [("worse", 2)]
    assert desk.debts.first(99) == 99


def test_an_alert_that_is_refused_again_and_again_holds_back_no_other() -> None:
    desk = Desk()
    desk.add("firing", 1, "a")
    desk.add("firing", 1, "b")
    first = desk.outbox.take(NOW, P)
    assert first is not None
    first.attempts = 1
    desk.outbox.again(first, NOW, None)
    assert desk.outbox.take(NOW, P) is not None


def test_a_receiver_that_asks_for_silence_gets_it_for_every_alert() -> None:
    desk = Desk()
    desk.add("firing", 1, "a")
    desk.add("firing", 1, "b")
    first = desk.outbox.take(NOW, P)
    assert first is not None
    desk.outbox.again(first, NOW, NOW + 30_000)
    assert desk.outbox.next_moment(P) == NOW + 30_000
    assert desk.outbox.take(NOW + 29_999, P) is None
    assert desk.outbox.take(NOW + 30_000, P) is not None


def test_silence_for_days_does_not_keep_an_alert_from_being_parked() -> None:
    desk = Desk()
    waiting = desk.add("firing", 1)
    late = NOW + 24 * HOUR - 60_000
    desk.outbox.again(desk.outbox.take(NOW, P) or waiting, late, NOW + 99 * HOUR)
    assert waiting.due > NOW + 24 * HOUR
    assert desk.outbox.next_moment(P) == NOW + 24 * HOUR


def test_a_wish_for_silence_is_granted_for_an_hour() -> None:
    desk = Desk()
    waiting = desk.add("firing", 1)
    desk.outbox.again(desk.outbox.take(NOW, P) or waiting, NOW, NOW + 99 * HOUR)
    assert desk.outbox.next_moment(P) == NOW + HOUR
    assert desk.outbox.expired(waiting, NOW + 24 * HOUR)
    assert not desk.outbox.expired(waiting, NOW + 24 * HOUR - 1)


def test_a_revision_published_twice_is_sent_once() -> None:
    desk = Desk()
    for _ in range(3):
        desk.add("firing", 1)
    assert desk.send_all() == [("firing", 1)]
    assert desk.debts.first(99) == 99


def test_an_alert_in_flight_while_its_partition_is_opened_anew_settles_the_new_debt() -> None:
    desk = Desk()
    desk.add("firing", 1)
    flying = desk.outbox.take(NOW, P)
    assert flying is not None
    desk.outbox.drop(5)
    desk.debts, desk.offset = Debts(), 0
    desk.add("firing", 1)
    desk.note(flying)
    desk.outbox.settle(flying)
    assert desk.send() is None
    assert desk.debts.first(99) == 99


def test_what_belongs_to_other_partitions_is_neither_taken_nor_kept() -> None:
    desk = Desk()
    desk.add("firing", 1)
    assert desk.outbox.take(NOW, {4}) is None
    assert desk.outbox.next_moment({4}) is None
    desk.outbox.keep({5})
    assert len(desk.outbox) == 1
    desk.outbox.keep({4})
    assert len(desk.outbox) == 0


@given(
    script=st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from(["add", "send", "fail"])), max_size=40
    )
)
def test_whatever_happens_openings_come_first_and_the_last_news_arrives(
    script: list[tuple[str, str]],
) -> None:
    """Each alert goes firing, worse, resolved, and then repeats `resolved` with a new revision."""
    desk, life = Desk(), ("firing", "worse", "resolved")
    desk.outbox.backoff = Backoff(base_ms=1, cap_ms=1)
    published = dict.fromkeys("abc", 0)
    heard: dict[str, list[tuple[str, int]]] = {alert * 16: [] for alert in "abc"}

    def take() -> Waiting | None:
        return desk.outbox.take(NOW + 10, P)

    def send() -> bool:
        if (waiting := take()) is None:
            return False
        heard[waiting.alert.alert_id].append((waiting.alert.status, waiting.alert.revision))
        desk.note(waiting)
        desk.outbox.settle(waiting)
        return True

    for alert, action in script:
        if action == "add":
            published[alert] += 1
            status: Status = life[min(published[alert], 3) - 1]  # type: ignore[assignment]  # a literal
            desk.add(status, published[alert], alert)
        elif action == "send":
            send()
        elif (waiting := take()) is not None:
            waiting.attempts += 1
            desk.outbox.again(waiting, NOW, None)
    while send():
        pass
    assert desk.debts.first(10**6) == 10**6
    for alert, revisions in published.items():
        news = heard[alert * 16]
        assert [revision for _, revision in news] == sorted({revision for _, revision in news})
        if revisions:
            assert news[-1][1] == revisions
            assert news[0][0] in ("firing", "worse")
