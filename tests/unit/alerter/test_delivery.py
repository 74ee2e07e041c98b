"""An alerter in memory: retries, order, restarts, parking. Kafka, clock and HTTP are the twins."""

import asyncio
import logging
from typing import Any

import httpx
import orjson
import pytest
from structlog.testing import capture_logs

from driftline.core.delivery.backoff import Backoff
from driftline.runtime import metrics
from driftline.runtime.memory import MemoryRecord
from driftline_schemas.topics import DEAD_LETTERS
from tests.unit.alerter.samples import (
    ALERTS_TOPIC,
    HOUR,
    NOTIFICATIONS_TOPIC,
    NOW,
    PREFIX,
    ROUTING_SECRET,
    SLACK_SECRET,
    Rig,
    an_alert,
    pagerduty_channel,
    slack_channel,
    webhook_channel,
)
from tests.waiting import eventually

KEY = "0123456789abcdef/slack"


def a_later(status: str, revision: int) -> Any:
    return an_alert(status=status, revision=revision)


@pytest.fixture
async def rig() -> Rig:
    rig = Rig()
    await rig.start()
    return rig


async def test_an_alert_goes_to_every_channel_and_is_noted_beside_it(rig: Rig) -> None:
    rig.publish(an_alert())
    assert rig.committed() == 0
    await rig.deliver()
    assert {name: len(script.bodies) for name, script in rig.scripts.items()} == {
        "slack": 1,
        "pagerduty": 1,
    }
    assert rig.committed() == 1
    first = rig.outputs.of(NOTIFICATIONS_TOPIC)[0]
    assert (first.partition, first.key) == (5, KEY)
    noted = rig.notifications("slack")[0]
    assert (noted.result, noted.attempts, noted.revision, noted.at) == ("sent", 1, 1, NOW)


async def test_429_then_500_then_200_is_one_delivery_at_the_right_times(rig: Rig) -> None:
    rig.scripts["slack"].answers = [
        httpx.Response(429, headers={"Retry-After": "30"}),
        httpx.Response(500, text="rollup_error"),
    ]
    rig.publish(an_alert())
    await rig.deliver_until(NOW + HOUR)
    second = NOW + 30_000
    third = second + Backoff().wait(KEY, 2)
    assert rig.scripts["slack"].times == [NOW, second, third]
    assert second + 1_000 <= third <= second + 2_000
    noted = rig.notifications("slack")
    assert [(n.result, n.attempts, n.at) for n in noted] == [("sent", 3, third)]


async def test_a_retry_after_date_is_honoured_to_the_second(rig: Rig) -> None:
    date = "Wed, 25 Nov 2026 21:05:00 GMT"
    rig.scripts["slack"].answers = [httpx.Response(429, headers={"Retry-After": date})]
    rig.publish(an_alert())
    await rig.deliver_until(NOW + HOUR, "slack")
    assert rig.scripts["slack"].times == [NOW, NOW + 295_000]


async def test_a_receiver_cannot_mute_its_channel_for_longer_than_an_hour(rig: Rig) -> None:
    answer = httpx.Response(429, headers={"Retry-After": "1795693200"})  # 57 years
    rig.scripts["slack"].answers = [answer]
    rig.publish(an_alert())
    with capture_logs() as events:
        await rig.deliver("slack")
        rig.publish(an_alert(alert_id="b" * 16))
        await rig.deliver_until(NOW + HOUR, "slack")
    assert rig.scripts["slack"].times == [NOW, NOW + HOUR, NOW + HOUR]
    (shortened,) = (event for event in events if event["event"] == "retry_after_shortened")
    assert (shortened["asked_s"], shortened["granted_s"]) == (1_795_693_200, 3_600)


async def test_a_date_that_no_calendar_reaches_leaves_the_alerter_running(rig: Rig) -> None:
    date = "Wed, 25 Nov 2026 21:05:00 +99999999999999"
    rig.scripts["slack"].answers = [httpx.Response(429, headers={"Retry-After": date})]
    rig.publish(an_alert())
    await rig.deliver_until(NOW + HOUR, "slack")
    assert [n.result for n in rig.notifications("slack")] == ["sent"]


async def test_a_hanging_channel_holds_back_no_other(rig: Rig) -> None:
    released = asyncio.Event()

    async def hang() -> httpx.Response:
        await released.wait()
        return httpx.Response(200, text="ok")

    rig.scripts["slack"].answers = [hang]
    rig.publish(an_alert())
    hanging = asyncio.create_task(rig.deliver("slack"))
    await eventually(lambda: rig.scripts["slack"].bodies)
    await rig.deliver("pagerduty")
    rig.publish(a_later("resolved", 2))
    await rig.deliver("pagerduty")
    assert [n.status for n in rig.notifications()] == ["firing", "resolved"]
    assert rig.committed() == 0
    released.set()
    await hanging
    assert [n.status for n in rig.notifications("slack")] == ["firing", "resolved"]
    assert rig.committed() == 2


async def test_resolved_is_not_sent_before_the_firing_that_is_retried(rig: Rig) -> None:
    rig.scripts["slack"].answers = [httpx.Response(500), httpx.Response(500)]
    rig.publish(an_alert())
    await rig.deliver("slack")
    rig.publish(a_later("worse", 2), a_later("resolved", 3))
    await rig.deliver_until(NOW + HOUR, "slack")
    assert [n.status for n in rig.notifications("slack")][-1] == "resolved"
    accepted = [body["text"].split(":")[0] for body in rig.scripts["slack"].bodies]
    assert accepted == ["FIRING", "WORSE", "WORSE", "RESOLVED"]


async def test_a_message_that_slack_refuses_again_and_again_holds_back_no_other_alert(
    rig: Rig,
) -> None:
    rig.scripts["slack"].answers = [httpx.Response(500)]
    rig.publish(an_alert(), an_alert(alert_id="b" * 16))
    await rig.deliver("slack")
    assert [n.alert_id for n in rig.notifications("slack")] == ["b" * 16]


async def test_a_crash_before_the_notification_repeats_one_message_under_the_same_key(
    rig: Rig,
) -> None:
    rig.publish(an_alert())
    rig.outputs.confirming = False
    stuck = asyncio.create_task(rig.deliver("pagerduty"))
    await eventually(lambda: rig.outputs.of(NOTIFICATIONS_TOPIC))
    committed = rig.committed()
    stuck.cancel()
    await asyncio.gather(stuck, return_exceptions=True)
    rig.outputs.records.clear()  # never reached the broker
    rig.outputs.confirming = True
    await rig.start(committed)
    await rig.deliver("pagerduty")
    await rig.start(rig.committed())
    await rig.deliver("pagerduty")
    keys = [body["dedup_key"] for body in rig.scripts["pagerduty"].bodies]
    assert keys == ["0123456789abcdef"] * 2


async def test_a_webhook_waits_as_long_as_it_asked_for_and_backs_off_like_the_others() -> None:
    rig = Rig(chosen=[webhook_channel()])
    await rig.start()
    busy = httpx.Response(429, headers={"Retry-After": "30"})
    rig.scripts["webhook"].answers = [busy, httpx.Response(500)]
    rig.publish(an_alert())
    await rig.deliver_until(NOW + HOUR)
    first, second, third = rig.scripts["webhook"].times
    assert (first, second) == (NOW, NOW + 30_000)
    assert third == second + Backoff().wait("0123456789abcdef/webhook", 2)
    noted = rig.notifications("webhook")
    assert [(n.result, n.attempts, n.at) for n in noted] == [("sent", 3, third)]


async def test_nothing_more_is_sent_until_the_notification_is_acknowledged(rig: Rig) -> None:
    rig.publish(an_alert(), an_alert(alert_id="b" * 16))
    rig.outputs.confirming = False
    stuck = asyncio.create_task(rig.deliver("slack"))
    await eventually(lambda: rig.outputs.of(NOTIFICATIONS_TOPIC))
    assert len(rig.scripts["slack"].bodies) == 1
    assert rig.committed() == 0
    rig.outputs.confirming = True
    await stuck
    assert len(rig.scripts["slack"].bodies) == 2


async def test_a_restart_skips_what_was_sent_and_sends_what_was_not(rig: Rig) -> None:
    rig.publish(an_alert(), a_later("worse", 2))
    await rig.deliver("slack")
    rig.publish(an_alert(alert_id="b" * 16))
    await rig.start(rig.committed())
    await rig.deliver()
    assert len(rig.scripts["slack"].bodies) == 2
    assert [body["dedup_key"][0] for body in rig.scripts["pagerduty"].bodies] == ["0", "b"]
    assert rig.committed() == 3


async def test_a_wiped_group_repeats_nothing(rig: Rig) -> None:
    rig.publish(an_alert(), a_later("resolved", 2))
    await rig.deliver()
    sent = len(rig.notifications())
    await rig.start(committed=0)
    await rig.deliver()
    assert len(rig.notifications()) == sent
    assert rig.committed() == 2


async def test_an_alert_that_waited_while_the_alerter_was_stopped_is_sent_once() -> None:
    rig = Rig()
    rig.publish(an_alert())
    rig.clock.advance(HOUR)
    await rig.start()
    await rig.deliver()
    await rig.start(rig.committed())
    await rig.deliver()
    assert [len(script.bodies) for script in rig.scripts.values()] == [1, 1]


async def test_a_new_channel_pages_nobody_about_the_past() -> None:
    rig = Rig(chosen=[slack_channel()])
    await rig.start()
    rig.publish(an_alert(), a_later("resolved", 2))
    await rig.deliver("slack")
    rig.clock.advance(25 * HOUR)
    rig.chosen = [slack_channel(), pagerduty_channel()]
    await rig.start(committed=0)  # even with the group's offsets lost
    await rig.deliver()
    assert rig.scripts["pagerduty"].bodies == []
    assert rig.committed() == 2
    rig.publish(an_alert(alert_id="b" * 16))
    await rig.deliver()
    assert len(rig.scripts["pagerduty"].bodies) == 1


async def test_a_partition_that_comes_back_while_a_request_is_out_is_not_sent_twice(
    rig: Rig,
) -> None:
    released = asyncio.Event()

    async def slow() -> httpx.Response:
        await released.wait()
        return httpx.Response(200, text="ok")

    rig.scripts["slack"].answers = [slow]
    rig.publish(an_alert())
    sending = asyncio.create_task(rig.deliver("slack"))
    await eventually(lambda: rig.scripts["slack"].bodies)
    await rig.reopen(rig.committed())
    released.set()
    await sending
    await rig.deliver()
    assert len(rig.scripts["slack"].bodies) == 1
    assert rig.committed() == 1


async def test_after_a_day_without_success_an_alert_is_parked_and_the_offset_moves_on(
    rig: Rig,
) -> None:
    async def refuse() -> httpx.Response:
        raise httpx.ConnectError(f"cannot connect to {SLACK_SECRET}")

    rig.scripts["slack"].answers = [refuse] * 1_000
    rig.publish(an_alert())
    await rig.deliver_until(NOW + 24 * HOUR - 1, "slack")
    attempts = len(rig.scripts["slack"].bodies)
    assert rig.notifications("slack") == []
    await rig.deliver_until(NOW + 24 * HOUR)
    noted = rig.notifications("slack")
    assert [(n.result, n.attempts, n.at) for n in noted] == [("parked", attempts, NOW + 24 * HOUR)]
    assert 280 < attempts < 600  # capped at five minutes
    assert rig.committed() == 1


async def test_alerts_from_before_the_first_start_are_parked_not_sent() -> None:
    rig = Rig()
    rig.publish(an_alert())
    rig.clock.advance(48 * HOUR)
    await rig.start()
    await rig.deliver()
    assert [n.result for n in rig.notifications()] == ["parked", "parked"]
    assert [len(script.bodies) for script in rig.scripts.values()] == [0, 0]


async def test_a_channel_that_is_gone_is_noted_failed_counted_and_loud(rig: Rig) -> None:
    before = metrics.NOTIFICATIONS.labels("slack", "failed")._value.get()
    rig.scripts["slack"].answers = [httpx.Response(404, text="channel_not_found")]
    rig.publish(an_alert())
    with capture_logs() as events:
        await rig.deliver()
    assert [n.result for n in rig.notifications("slack")] == ["failed"]
    assert [n.result for n in rig.notifications("pagerduty")] == ["sent"]
    assert metrics.NOTIFICATIONS.labels("slack", "failed")._value.get() == before + 1
    loud = [event for event in events if event["log_level"] == "error"]
    assert [event["reason"] for event in loud] == [
        "404 channel_not_found (the destination is gone)"
    ]
    assert rig.committed() == 1


async def test_a_delivery_that_is_tried_again_is_counted_and_its_alert_seen_waiting(
    rig: Rig,
) -> None:
    retries = metrics.DELIVERY_RETRIES.labels("slack")
    oldest = metrics.OLDEST_WAITING.labels("slack")
    before = retries._value.get()
    rig.scripts["slack"].answers = [httpx.Response(500), httpx.Response(429)]
    rig.publish(an_alert())
    await rig.deliver("slack")
    rig.clock.advance(500)
    rig.publish(an_alert(alert_id="b" * 16))
    await rig.deliver("slack")
    assert oldest._value.get() == NOW / 1_000
    await rig.deliver_until(NOW + HOUR, "slack")
    assert retries._value.get() == before + 2
    assert oldest._value.get() == 0


async def test_the_secrets_appear_in_no_log(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    async def refuse() -> httpx.Response:
        raise httpx.ConnectError(f"cannot connect to {SLACK_SECRET}")

    caplog.set_level(logging.DEBUG)
    rig.scripts["slack"].answers = [refuse, httpx.Response(400, text=SLACK_SECRET)]
    rig.scripts["pagerduty"].answers = [httpx.Response(400, text=ROUTING_SECRET)]
    rig.publish(an_alert())
    with capture_logs() as events:
        await rig.deliver_until(NOW + HOUR)
    seen = (
        f"{caplog.text} {events!r} {rig.alerter.couriers!r} {rig.state!r} {rig.outputs.records!r}"
    )
    assert len(events) == 3
    assert "CANARY" not in seen.upper()


async def test_a_record_that_is_no_alert_is_a_dead_letter_and_the_rest_goes_on(rig: Rig) -> None:
    bad = [
        MemoryRecord(0, NOW, None, b"{"),
        MemoryRecord(1, NOW, None, None),
        MemoryRecord(2, NOW, None, b'{"alert_id": 7}'),
    ]
    rig.log += bad
    rig.state.apply(ALERTS_TOPIC, bad)
    rig.publish(an_alert())
    await rig.deliver()
    letters = [orjson.loads(r.value) for r in rig.outputs.of(DEAD_LETTERS.full_name(PREFIX))]
    assert [(letter["reason"], letter["partition"], letter["offset"]) for letter in letters] == [
        ("invalid_json", 5, 0),
        ("empty", 5, 1),
        ("invalid_field", 5, 2),
    ]
    assert len(rig.scripts["slack"].bodies) == 1
    assert rig.committed() == 4


async def test_a_notification_that_nobody_can_read_does_not_stop_the_start(rig: Rig) -> None:
    rig.outputs.produce(NOTIFICATIONS_TOPIC, b"{", key=KEY, partition=5)
    await rig.start()
    rig.publish(an_alert())
    await rig.deliver("slack")
    assert len(rig.scripts["slack"].bodies) == 1


async def test_without_channels_alerts_pass_at_once() -> None:
    rig = Rig(chosen=[])
    await rig.start()
    rig.publish(an_alert())
    assert rig.committed() == 1


async def test_no_more_is_taken_while_a_channel_has_no_room(rig: Rig) -> None:
    rig.state.max_waiting = 1
    rig.publish(an_alert())
    waiting = asyncio.create_task(rig.state.prepare(ALERTS_TOPIC, []))
    await asyncio.sleep(0)
    assert not waiting.done()
    await rig.deliver()
    await eventually(waiting.done)


async def test_an_alert_is_sent_only_while_its_partition_is_ours(rig: Rig) -> None:
    rig.publish(an_alert())
    async with rig.client("slack") as client:
        assert not await rig.courier("slack").step(client, {4})
        assert await rig.courier("slack").step(client, {5})
