"""The exact bodies that go out, their limits, and what each answer means."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import orjson
import pytest
from pydantic import SecretStr

from driftline.alerter import webhook
from driftline.alerter.channel import Channel, Outcome, Permanent, Retry, Sent
from driftline.alerter.pagerduty import URL, PagerDuty, event_of
from driftline.alerter.slack import message
from driftline_schemas.alerts import Alert, Cause, Check
from tests.unit.alerter.samples import (
    NOW,
    ROUTING_SECRET,
    SLACK_SECRET,
    WEBHOOK_SECRET,
    an_alert,
    pagerduty_channel,
    slack_channel,
    webhook_channel,
)

GOLDEN = Path(__file__).parent / "golden"


def golden(name: str) -> Any:
    return orjson.loads((GOLDEN / f"{name}.json").read_bytes())


def resolved() -> Alert:
    return an_alert(status="resolved", revision=3, at=NOW + 60_000, cause=[], severity="info",
                    value=None, threshold=None, effect=None, reason="clean")  # fmt: skip


def hostile() -> Alert:
    """Everything as long and as nasty as the schema lets it be."""
    nasty = "<!channel> & @here https://evil.example \u202e\n" * 2_000
    return an_alert(
        model=nasty.replace("\n", " ")[:128],
        model_version=nasty,
        lineage=nasty,
        scope=nasty,
        summary=nasty,
        reason=nasty,
        replay=nasty,
        cause=[Cause(feature=nasty, effect=0.1, first_offset=1)] * 1_000,
    )


@pytest.mark.parametrize(
    ("name", "alert"),
    [("slack_firing", an_alert()), ("slack_resolved", resolved())],
    ids=["firing", "resolved"],
)
def test_the_slack_body_is_the_golden_one(name: str, alert: Alert) -> None:
    request = slack_channel().request(alert)
    assert request.url == SLACK_SECRET
    assert request.headers["content-type"].startswith("application/json")
    assert orjson.loads(request.body) == golden(name)


@pytest.mark.parametrize(
    ("name", "alert"),
    [
        ("pagerduty_firing", an_alert()),
        ("pagerduty_worse", an_alert(status="worse", revision=2)),
        ("pagerduty_resolved", resolved()),
        ("pagerduty_resolved", an_alert(status="retracted", revision=2)),
    ],
    ids=["firing", "worse", "resolved", "retracted"],
)
def test_the_pagerduty_body_is_the_golden_one(name: str, alert: Alert) -> None:
    request = pagerduty_channel().request(alert)
    assert request.url == URL == "https://events.pagerduty.com/v2/enqueue"
    assert orjson.loads(request.body) == golden(name)


@pytest.mark.parametrize(
    ("name", "alert"),
    [
        ("webhook_firing", an_alert()),
        ("webhook_retracted", resolved().model_copy(update={"status": "retracted"})),
    ],
    ids=["firing", "retracted"],
)
def test_the_webhook_body_is_the_golden_one(name: str, alert: Alert) -> None:
    request = webhook_channel().request(alert)
    assert request.url == WEBHOOK_SECRET
    assert orjson.loads(request.body) == golden(name)


def test_labels_and_group_of_the_webhook_never_change_while_an_alert_lives() -> None:
    bodies = [
        webhook.message(an_alert(status=status, revision=i, summary=status, value=i))
        for i, status in enumerate(("firing", "worse", "resolved", "retracted"))
    ]
    assert [body["status"] for body in bodies] == ["firing", "firing", "resolved", "resolved"]
    for part in ("groupKey", "groupLabels", "commonLabels"):
        assert all(body[part] == bodies[0][part] for body in bodies)


def test_every_check_has_a_name_for_the_webhook() -> None:
    assert set(webhook.ALERT_NAMES) == set(get_args(Check))


def test_a_hostile_alert_keeps_the_webhook_small() -> None:
    request = webhook_channel().request(hostile())
    (alert,) = orjson.loads(request.body)["alerts"]
    assert len(request.body) < 64 * 1024
    texts = [*alert["labels"].values(), *alert["annotations"].values()]
    assert all(
        isinstance(text, str) and "\n" not in text and "\u202e" not in text for text in texts
    )


def test_each_channel_names_the_lineage_of_a_version_that_is_ours() -> None:
    alert = an_alert(model_version="8c09ca19986af4fd", lineage="frozen")
    texts = [t["text"] for block in message(alert)["blocks"] for t in texts_of(block)]  # type: ignore[attr-defined]  # JSON
    assert "Version: frozen (8c09ca19986af4fd)" in texts
    payload: Any = event_of(alert)["payload"]
    assert payload["component"] == "frozen (8c09ca19986af4fd)"
    body: Any = webhook.message(alert)
    assert body["commonAnnotations"]["lineage"] == "frozen"
    assert body["commonLabels"]["model_version"] == "8c09ca19986af4fd"


def test_slack_says_what_stands_behind_the_figure() -> None:
    said = {check: str(message(an_alert(check=check))) for check in ("data", "error", "floor")}
    assert "Predictions: " in said["data"]
    assert all("Labels: " in said[check] for check in ("error", "floor"))


def test_all_revisions_of_an_alert_share_one_dedup_key() -> None:
    keys = {
        event_of(an_alert(status=status, revision=i))["dedup_key"]
        for i, status in enumerate(("firing", "worse", "resolved", "retracted"))
    }
    assert keys == {an_alert().alert_id}


def test_a_hostile_alert_keeps_slacks_limits_and_pings_nobody() -> None:
    body = message(hostile())
    blocks: Any = body["blocks"]
    texts = [text for block in blocks for text in texts_of(block)]
    header, summary, fields, causes, replay, context = blocks
    assert len(header["text"]["text"]) <= 150
    assert all(len(t["text"]) <= 3_000 for t in (summary["text"], causes["text"], replay["text"]))
    assert len(fields["fields"]) <= 10
    assert all(0 < len(field["text"]) <= 2_000 for field in fields["fields"])
    assert len(context["elements"]) <= 10
    assert all(text["type"] == "plain_text" and not text["emoji"] for text in texts)
    assert sum(len(text["text"]) for text in texts) + len(str(body["text"])) < 13_000
    assert not any(bad in orjson.dumps(body) for bad in (b"<", b">", b"://", b"@h", b"\\u202e"))


def texts_of(block: Mapping[str, Any]) -> list[dict[str, Any]]:
    one = [block["text"]] if "text" in block else []
    return [*one, *block.get("fields", []), *block.get("elements", [])]


def test_a_hostile_alert_keeps_pagerdutys_limits() -> None:
    request = pagerduty_channel().request(hostile())
    payload = orjson.loads(request.body)["payload"]
    assert len(request.body) < 512 * 1024
    assert len(payload["summary"]) <= 1_024
    assert "\n" not in payload["summary"]
    assert len(payload["custom_details"]["causes"]) == 20


def test_an_alert_with_nothing_to_say_still_makes_a_valid_message() -> None:
    bare = an_alert(summary="", replay="", model_version="", cause=[])
    texts = [t["text"] for block in message(bare)["blocks"] for t in texts_of(block)]  # type: ignore[attr-defined]  # JSON
    assert all(texts)
    payload: Any = event_of(bare)["payload"]
    assert payload["component"] == "unknown"


@pytest.mark.parametrize(
    ("status", "headers", "body", "outcome"),
    [
        pytest.param(200, {}, b"ok", Sent(), id="ok"),
        pytest.param(200, {}, b"ok\n", Sent(), id="ok and a line end"),
        pytest.param(200, {}, b"<html>", Retry("200"), id="a proxy's page"),
        pytest.param(200, {}, b"", Retry("200"), id="nothing"),
        pytest.param(429, {"retry-after": "30"}, b"", Retry("429", "30"), id="too many"),
        pytest.param(
            500, {}, b"rollup_error", Retry("500 rollup_error"), id="an error of theirs"
        ),
        pytest.param(503, {"retry-after": "5"}, b"", Retry("503", "5"), id="busy"),
        pytest.param(408, {}, b"", Retry("408"), id="their time-out"),
        pytest.param(
            400, {}, b"invalid_payload", Permanent("400 invalid_payload"), id="a bad body"
        ),
        pytest.param(403, {}, b"action_prohibited", Permanent("403 action_prohibited"), id="no"),
        pytest.param(
            404, {}, b"channel_not_found",
            Permanent("404 channel_not_found (the destination is gone)"), id="no channel",
        ),
        pytest.param(
            410, {}, b"channel_is_archived",
            Permanent("410 channel_is_archived (the destination is gone)"), id="archived",
        ),
        pytest.param(302, {"location": "http://x"}, b"", Permanent("302"), id="a redirect"),
        pytest.param(400, {}, b"evil\nline", Permanent("400"), id="text that is not repeated"),
    ],
)  # fmt: skip
def test_slacks_answers(
    status: int, headers: Mapping[str, str], body: bytes, outcome: Outcome
) -> None:
    assert slack_channel().judge(status, headers, body) == outcome


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        pytest.param(202, b'{"dedup_key":"0123456789abcdef"}', Sent("0123456789abcdef"), id="yes"),
        pytest.param(202, b"{}", Sent(), id="yes without a key"),
        pytest.param(202, b"[1]", Sent(), id="yes in another form"),
        pytest.param(202, b"not JSON", Sent(), id="yes that cannot be read"),
        pytest.param(202, b'{"dedup_key":"a b\\n"}', Sent(), id="a key that is none"),
        pytest.param(200, b"<html>", Retry("200"), id="a proxy's page"),
        pytest.param(400, b'{"errors":["x"]}', Permanent("400"), id="a bad body"),
        pytest.param(429, b"", Retry("429"), id="too many"),
        pytest.param(500, b"", Retry("500"), id="an error of theirs"),
    ],
)
def test_pagerdutys_answers(status: int, body: bytes, outcome: Outcome) -> None:
    assert pagerduty_channel().judge(status, {}, body) == outcome


@pytest.mark.parametrize(
    ("status", "headers", "outcome"),
    [
        pytest.param(200, {}, Sent(), id="yes"),
        pytest.param(202, {}, Sent(), id="yes, later"),
        pytest.param(204, {}, Sent(), id="yes without a word"),
        pytest.param(301, {"location": "http://x"}, Permanent("301"), id="a redirect"),
        pytest.param(401, {}, Permanent("401"), id="no"),
        pytest.param(404, {}, Permanent("404 (the destination is gone)"), id="nobody there"),
        pytest.param(429, {"retry-after": "30"}, Retry("429", "30"), id="too many"),
        pytest.param(503, {}, Retry("503"), id="busy"),
    ],
)
def test_a_webhooks_answers(status: int, headers: Mapping[str, str], outcome: Outcome) -> None:
    assert webhook_channel().judge(status, headers, b"secret words") == outcome


def test_neither_channels_nor_requests_show_their_secrets() -> None:
    shown: list[Channel] = [
        slack_channel(),
        pagerduty_channel(),
        PagerDuty(SecretStr("k"), SecretStr("https://c")),
        webhook_channel(),
    ]
    requests = [channel.request(an_alert()) for channel in shown]
    text = f"{shown!r} {requests!r} {shown!s} {requests!s}"
    assert not any(secret in text for secret in (SLACK_SECRET, ROUTING_SECRET, "canary", "https"))
