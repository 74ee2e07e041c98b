"""PagerDuty Events API v2: one PagerDuty incident for one alert, by `dedup_key`.

The key is the alert id. So `worse` after `firing` adds to the open incident without another page,
a repeat after a crash changes nothing, and `resolved` closes it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import orjson
from pydantic import SecretStr

from driftline.alerter.channel import Outcome, Request, Sent, judge_refusal
from driftline.alerter.text import plain, title, version
from driftline.core.delivery.outbox import CLOSINGS
from driftline_schemas.alerts import Alert, Cause
from driftline_schemas.fields import format_time

URL: Final = "https://events.pagerduty.com/v2/enqueue"
SUMMARY: Final = 1_024
NAME: Final = 255
CAUSES: Final = 20
REPLAY: Final = 2_000
DEDUP_KEY: Final = re.compile(r"[A-Za-z0-9._:-]{1,255}")


@dataclass(frozen=True, slots=True)
class PagerDuty:
    """The channel. The routing key travels in the body."""

    routing_key: SecretStr
    endpoint: SecretStr = field(default_factory=lambda: SecretStr(URL))
    name: str = "pagerduty"

    @property
    def url(self) -> str:
        return self.endpoint.get_secret_value()

    def request(self, alert: Alert) -> Request:
        event = {"routing_key": self.routing_key.get_secret_value(), **event_of(alert)}
        return Request(self.url, {"content-type": "application/json"}, orjson.dumps(event))

    def judge(self, status: int, headers: Mapping[str, str], body: bytes) -> Outcome:
        return Sent(_dedup_key(body)) if status == 202 else judge_refusal(status, headers)


def event_of(alert: Alert) -> dict[str, object]:
    """The event, without the routing key."""
    if alert.status in CLOSINGS:
        return {"event_action": "resolve", "dedup_key": alert.alert_id}
    return {
        "event_action": "trigger",
        "dedup_key": alert.alert_id,
        "client": "Driftline",
        "payload": {
            "summary": plain(f"{title(alert)}. {alert.summary}", SUMMARY),
            "source": plain(alert.model, NAME),
            "severity": alert.severity,
            "timestamp": format_time(alert.at),
            "component": plain(version(alert), NAME) or "unknown",
            "group": plain(alert.scope, NAME),
            "class": alert.check,
            "custom_details": _details(alert),
        },
    }


def _details(alert: Alert) -> dict[str, object]:
    details = {
        "alert_id": alert.alert_id,
        "status": alert.status,
        "revision": alert.revision,
        "opened_at": format_time(alert.opened_at),
        "opened_by": list(alert.opened_by),
        "value": alert.value,
        "threshold": alert.threshold,
        "effect": alert.effect,
        "n": alert.n,
        "coverage": alert.coverage,
        "causes": [_cause(cause) for cause in alert.cause[:CAUSES]],
        "reason": plain(alert.reason, SUMMARY) if alert.reason else None,
        "replay": plain(alert.replay, REPLAY),
    }
    return {name: value for name, value in details.items() if value is not None}


def _cause(cause: Cause) -> dict[str, object]:
    kind = "feature" if cause.feature is not None else "segment"
    name = plain(cause.feature or cause.segment or "?", NAME)
    found = {kind: name, "effect": cause.effect, "first_offset": cause.first_offset}
    return {key: value for key, value in found.items() if value is not None}


def _dedup_key(body: bytes) -> str | None:
    """The key that the answer confirms; a stranger's bytes, so nothing else is taken from them."""
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    key = answer.get("dedup_key") if isinstance(answer, dict) else None
    return key if isinstance(key, str) and DEDUP_KEY.fullmatch(key) else None
