"""Slack incoming webhooks: one message for each revision, in blocks of plain text.

Limits (characters): header 150, section text 3,000, field 2,000, ten fields, and about 13,000
in all, which Slack does not document. Plain-text objects know no mentions, links or emoji; the
fallback `text` does, so everything is escaped.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import orjson
from pydantic import SecretStr

from driftline.alerter.channel import Outcome, Request, Sent, judge_refusal
from driftline.alerter.text import COUNTED, for_slack, number, title, version
from driftline_schemas.alerts import Alert, Cause
from driftline_schemas.fields import format_time

HEADER: Final = 150
SUMMARY: Final = 2_000
FIELD: Final = 200
CAUSES: Final = 10
REPLAY: Final = 1_500
ERROR_CODE: Final = re.compile(rb"[a-z_]{1,64}")  # Slack's own; anything else is not repeated


@dataclass(frozen=True, slots=True)
class Slack:
    """The channel. Its URL is its password."""

    webhook: SecretStr
    name: str = "slack"

    @property
    def url(self) -> str:
        return self.webhook.get_secret_value()

    def request(self, alert: Alert) -> Request:
        body = orjson.dumps(message(alert))
        return Request(self.url, {"content-type": "application/json; charset=utf-8"}, body)

    def judge(self, status: int, headers: Mapping[str, str], body: bytes) -> Outcome:
        if status == 200 and body.strip() == b"ok":
            return Sent()
        code = body.strip()
        return judge_refusal(status, headers, code.decode() if ERROR_CODE.fullmatch(code) else "")


def message(alert: Alert) -> dict[str, object]:
    """The JSON body."""
    heading = for_slack(title(alert), HEADER)
    summary = for_slack(alert.summary, SUMMARY)
    return {
        "text": f"{heading}. {summary} ({_identity(alert)})",
        "blocks": list(_blocks(alert, heading, summary)),
        "unfurl_links": False,
        "unfurl_media": False,
    }


def _blocks(alert: Alert, heading: str, summary: str) -> Iterator[dict[str, object]]:
    yield {"type": "header", "text": _text(heading)}
    if summary:
        yield {"type": "section", "text": _text(summary)}
    yield {"type": "section", "fields": [_text(line) for line in _figures(alert)]}
    if alert.cause:
        yield {"type": "section", "text": _text("\n".join(_causes(alert.cause)))}
    if alert.replay:
        yield {"type": "section", "text": _text("Replay: " + for_slack(alert.replay, REPLAY))}
    yield {"type": "context", "elements": [_text(_identity(alert))]}


def _text(text: str) -> dict[str, object]:
    return {"type": "plain_text", "text": text, "emoji": False}


def _figures(alert: Alert) -> Iterator[str]:
    """At most ten fields: what people look at first."""
    yield f"Severity: {alert.severity}"
    yield f"Version: {for_slack(version(alert), FIELD)}"
    yield f"Opened: {format_time(alert.opened_at)}"
    yield f"{COUNTED.get(alert.check, 'Predictions')}: {number(alert.n)}"
    measured = {
        "Value": alert.value,
        "Threshold": alert.threshold,
        "Effect": alert.effect,
        "Coverage": alert.coverage,
    }
    yield from (f"{name}: {number(value)}" for name, value in measured.items() if value is not None)
    if alert.reason:
        yield f"Reason: {for_slack(alert.reason, FIELD)}"


def _causes(causes: list[Cause]) -> Iterator[str]:
    yield "Causes, the largest first:"
    for rank, cause in enumerate(causes[:CAUSES], start=1):
        name = for_slack(cause.feature or cause.segment or "?", FIELD)
        since = "" if cause.first_offset is None else f", from offset {cause.first_offset}"
        yield f"{rank}. {name}: effect {number(cause.effect)}{since}"
    if len(causes) > CAUSES:
        yield f"and {len(causes) - CAUSES} more"


def _identity(alert: Alert) -> str:
    return f"alert {alert.alert_id}, revision {alert.revision}, {format_time(alert.at)}"
