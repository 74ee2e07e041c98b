"""The settings choose the channels; the loop and real HTTP work together with the receiver."""

import asyncio
import gzip
import socket
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson
import pytest
from pydantic import SecretStr

from driftline.alerter import transport
from driftline.alerter.app import deliver
from driftline.alerter.channel import Request
from driftline.alerter.configured import channels
from driftline.alerter.pagerduty import PagerDuty
from driftline.alerter.slack import Slack
from driftline.alerter.transport import UnreachableError, check_destination, post
from driftline.alerter.webhook import Webhook
from driftline.demo.receiver import Answer, Receiver
from driftline.runtime.errors import DriftlineError
from driftline.runtime.ports import TP
from driftline.runtime.settings import Settings
from tests.unit.alerter.samples import (
    ALERTS_TOPIC,
    NOW,
    SLACK_SECRET,
    WEBHOOK_SECRET,
    Rig,
    an_alert,
)
from tests.waiting import PATIENCE_SECONDS, eventually


@dataclass
class Owns:
    states: dict[int, Any] = field(default_factory=lambda: {5: None})
    owned: frozenset[TP] = frozenset({TP(ALERTS_TOPIC, 5)})


def test_each_configured_secret_makes_a_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    assert channels(Settings()) == ()
    monkeypatch.setenv("DRIFTLINE_SLACK_WEBHOOK_URL", SLACK_SECRET)
    monkeypatch.setenv("DRIFTLINE_PAGERDUTY_ROUTING_KEY", "k" * 32)
    monkeypatch.setenv("DRIFTLINE_WEBHOOK_URL", WEBHOOK_SECRET)
    chosen = channels(Settings())
    assert [channel.name for channel in chosen] == ["slack", "pagerduty", "webhook"]
    assert [channel.url for channel in chosen] == [
        SLACK_SECRET,
        "https://events.pagerduty.com/v2/enqueue",
        WEBHOOK_SECRET,
    ]


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.slack.com/services/canary",
        "ftp://canary",
        "canary",
        "https://",
        "http://127.0.0.1.canary.example/",
        "http://localhost:canary/",
    ],
)
def test_a_destination_without_tls_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(DriftlineError) as refused:
        check_destination(url, "the URL of slack")
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize("url", [SLACK_SECRET, "http://127.0.0.1:80/x", "http://[::1]:80/x"])
def test_https_and_this_machine_are_accepted(url: str) -> None:
    check_destination(url, "the URL of slack")


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254", "169.254.169.254.", "169.254.0.1", "2852039166", "0xA9FEA9FE",
        "169.254.43518", "[::ffff:169.254.169.254]", "[fe80::1]", "[fd00:ec2::254]",
        "100.100.100.200", "metadata.google.internal", "METADATA.google.internal.",
    ],
)  # fmt: skip
def test_no_channel_leads_to_a_cloud_s_metadata(host: str) -> None:
    with pytest.raises(DriftlineError, match="metadata or a link-local address"):
        check_destination(f"https://{host}/canary", "the URL of webhook")


@pytest.mark.parametrize("host", ["10.0.0.7", "192.168.1.1", "[fd00::7]", "hooks.svc", "1.2.3.4"])
def test_a_channel_may_be_in_a_private_network(host: str) -> None:
    check_destination(f"https://{host}/x", "the URL of webhook")


async def test_the_loop_delivers_over_http_after_a_refusal() -> None:
    with Receiver() as receiver:
        receiver.script("slack", [Answer(429, {"Retry-After": "1"})])
        rig = Rig(
            chosen=[
                Slack(SecretStr(receiver.url("slack"))),
                PagerDuty(SecretStr("k" * 32), SecretStr(receiver.url("pagerduty"))),
                Webhook(SecretStr(receiver.url("webhook"))),
            ]
        )
        await rig.start()
        loops = [asyncio.create_task(deliver(c, Owns())) for c in rig.alerter.couriers]
        rig.publish(an_alert())
        assert await asyncio.to_thread(receiver.wait_for, 3, PATIENCE_SECONDS)
        outbox = rig.courier("slack").outbox
        await eventually(lambda: outbox.next_moment({5}) == NOW + 1_000)  # it has heard the refusal
        rig.clock.advance(1_000)
        assert await asyncio.to_thread(receiver.wait_for, 4, PATIENCE_SECONDS)
        rig.publish(an_alert(status="resolved", revision=2))
        assert await asyncio.to_thread(receiver.wait_for, 7, PATIENCE_SECONDS)
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
        texts = [body["text"].split(":")[0] for body in receiver.delivered("slack")]
        assert texts == ["FIRING", "RESOLVED"]
        actions = [body["event_action"] for body in receiver.delivered("pagerduty")]
        assert actions == ["trigger", "resolve"]
        assert [body["status"] for body in receiver.delivered("webhook")] == ["firing", "resolved"]


async def test_a_receiver_that_never_answers_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "TOTAL_SECONDS", 0.1)
    with Receiver() as receiver:
        receiver.script("slack", [Answer(hang=True)])
        request = Request(receiver.url("slack"), {}, b"{}")
        async with transport.new_client(request.url) as client:
            with pytest.raises(UnreachableError, match="timeout"):
                await post(client, request)


async def test_redirects_are_not_followed_and_answers_are_cut() -> None:
    with Receiver() as receiver:
        away = {"Location": receiver.url("pagerduty")}
        receiver.script("slack", [Answer(302, away, b"x" * 100_000)])
        request = Request(receiver.url("slack"), {}, b"{}")
        async with transport.new_client(request.url) as client:
            answer = await post(client, request)
        assert (answer.status, len(answer.body)) == (302, transport.MAX_ANSWER_BYTES)
        assert len(receiver.received) == 1


async def test_an_answer_is_neither_asked_for_packed_nor_unpacked() -> None:
    packed = gzip.compress(gzip.compress(b"x" * 1_000_000))
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers["accept-encoding"])
        headers = {"content-encoding": "gzip, gzip"}
        return httpx.Response(200, headers=headers, stream=httpx.ByteStream(packed))

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        got = await post(client, Request("https://hooks.example/", {}, b"{}"))
    assert got.body == packed[: transport.MAX_ANSWER_BYTES]
    assert asked == ["identity"]


async def test_nobody_listening_is_a_word_without_the_url() -> None:
    with socket.socket() as silent:  # the port is nobody else's meanwhile
        silent.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        async with transport.new_client(url) as client:
            with pytest.raises(UnreachableError) as failed:
                await post(client, Request(url, {}, b"{}"))
    assert str(failed.value) == "ConnectError"
    assert failed.value.__cause__ is None


def test_the_receiver_refuses_other_paths_and_broken_json() -> None:
    with Receiver() as receiver:
        base = receiver.url("slack").removesuffix("/services/T000/B000/demo")
        with httpx.Client(trust_env=False) as client:
            assert client.post(f"{base}/elsewhere", content=b"{}").status_code == 404
            assert client.post(receiver.url("slack"), content=b"{").status_code == 400
            accepted = client.post(receiver.url("pagerduty"), content=b'{"dedup_key":"a"}')
        assert (accepted.status_code, orjson.loads(accepted.content)["dedup_key"]) == (202, "a")
