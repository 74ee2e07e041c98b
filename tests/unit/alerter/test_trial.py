"""`driftline alerts test`: one notification marked as a test, and what was answered."""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from driftline.alerter.trial import test_alert as alert_of_a_test
from driftline.cli.app import app
from driftline.demo.receiver import Answer, Kind, Receiver
from tests.unit.alerter.samples import NOW

KINDS: tuple[Kind, ...] = ("slack", "pagerduty", "webhook")


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with Receiver() as receiver:
        monkeypatch.setenv("DRIFTLINE_SLACK_WEBHOOK_URL", receiver.url("slack"))
        monkeypatch.setenv("DRIFTLINE_PAGERDUTY_URL", receiver.url("pagerduty"))
        monkeypatch.setenv("DRIFTLINE_PAGERDUTY_ROUTING_KEY", "r" * 32)
        monkeypatch.setenv("DRIFTLINE_WEBHOOK_URL", receiver.url("webhook"))
        yield receiver


def run(*arguments: str) -> tuple[int, str]:
    """Exit code, and what was printed."""
    result = CliRunner().invoke(app, ["alerts", "test", *arguments])
    return result.exit_code, result.output.strip()


def marked(kind: Kind, body: dict[str, Any]) -> str:
    """What people read first."""
    if kind == "slack":
        return str(body["text"])
    if kind == "pagerduty":
        return str(body["payload"]["summary"])
    return str(body["commonLabels"]["alertname"])


@pytest.mark.parametrize(
    ("kind", "begins"),
    [
        ("slack", "TEST: Driftline can reach you. Nothing is wrong."),
        ("pagerduty", "TEST: Driftline can reach you. Nothing is wrong."),
        ("webhook", "DriftlineTest"),
    ],
)
def test_one_notification_arrives_that_says_it_is_a_test(
    receiver: Receiver, kind: Kind, begins: str
) -> None:
    code, said = run(kind)
    answered = {"slack": 200, "pagerduty": 202, "webhook": 204}[kind]
    (body,) = receiver.delivered(kind)
    assert len(receiver.received) == 1
    assert marked(kind, body).startswith(begins)
    alert_id = alert_of_a_test(kind, NOW, is_over=False).alert_id
    assert (code, said) == (
        0, f"{kind} took test notification {alert_id}: it answered {answered}.",
    )  # fmt: skip


def test_a_program_reads_what_was_answered(receiver: Receiver) -> None:
    code, said = run("webhook", "--json")
    assert (code, orjson.loads(said)["answered"]) == (0, 204)


def test_the_end_closes_the_incident_that_the_test_opened(receiver: Receiver) -> None:
    assert run("pagerduty")[0] == run("pagerduty", "--end")[0] == 0
    opened, closed = receiver.delivered("pagerduty")
    assert (opened["event_action"], closed["event_action"]) == ("trigger", "resolve")
    assert opened["dedup_key"] == closed["dedup_key"]
    assert opened["payload"]["severity"] == "info"


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (Answer(404, body=b"channel_not_found"),
         "answered 404 channel_not_found (the destination is gone)."),
        (Answer(503), "answered 503."),
        (Answer(302, {"Location": "http://127.0.0.1:1/"}), "answered 302."),
    ],
    ids=["gone", "busy", "elsewhere"],
)  # fmt: skip
def test_a_refusal_is_one_sentence_and_exit_code_1(
    receiver: Receiver, answer: Answer, says: str
) -> None:
    receiver.script("slack", [answer])
    assert run("slack") == (1, f"slack did not take the test notification: {says}")
    assert len(receiver.received) == 1  # it is not tried again


def test_nobody_there_is_one_sentence_without_the_url(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRIFTLINE_WEBHOOK_URL", "http://127.0.0.1:1/token")
    assert run("webhook") == (1, "webhook did not take the test notification: ConnectError.")


@pytest.mark.parametrize(
    ("kind", "variable"),
    [
        ("slack", "DRIFTLINE_SLACK_WEBHOOK_URL"),
        ("pagerduty", "DRIFTLINE_PAGERDUTY_ROUTING_KEY"),
        ("webhook", "DRIFTLINE_WEBHOOK_URL"),
    ],
)
def test_a_channel_that_is_not_configured_says_what_to_set(kind: str, variable: str) -> None:
    assert run(kind) == (1, f"{kind} is not configured: set {variable} (or {variable}_FILE).")


def test_another_channel_is_wrong_usage() -> None:
    assert run("telegraph")[0] == 2


@pytest.mark.parametrize("kind", KINDS)
def test_all_tests_of_a_channel_are_one_alert(kind: Kind) -> None:
    first, second = (alert_of_a_test(kind, NOW + i, is_over=bool(i)) for i in range(2))
    assert (first.alert_id, first.revision) == (second.alert_id, second.revision - 1)
