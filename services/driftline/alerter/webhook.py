"""Any program that takes webhooks: the body is the one that Prometheus' Alertmanager sends.

So what already understands Alertmanager understands Driftline. One POST for each revision, with one
alert in it. Alertmanager knows `firing` and `resolved` only: our own status is in the annotations,
as are the numbers; all values there are strings. Labels never change while an alert lives.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import orjson
from pydantic import SecretStr

from driftline.alerter.channel import Outcome, Request, Sent, judge_refusal
from driftline.alerter.text import is_test, number, plain
from driftline.core.delivery.outbox import CLOSINGS
from driftline_schemas.alerts import Alert, Cause, Check
from driftline_schemas.fields import format_time

NAME: Final = 255
TEXT: Final = 2_000
CAUSES: Final = 20
NOT_YET: Final = "0001-01-01T00:00:00Z"  # as Alertmanager says that an alert has not ended
TEST_NAME: Final = "DriftlineTest"
ALERT_NAMES: Final[Mapping[Check, str]] = {
    "data": "DriftlineDataDrift",
    "error": "DriftlineErrorsRising",
    "floor": "DriftlineBelowFloor",
    "no_predictions": "DriftlineNoPredictions",
    "no_labels": "DriftlineNoLabels",
}


@dataclass(frozen=True, slots=True)
class Webhook:
    """The channel. Its URL may hold a password."""

    address: SecretStr
    name: str = "webhook"

    @property
    def url(self) -> str:
        return self.address.get_secret_value()

    def request(self, alert: Alert) -> Request:
        body = orjson.dumps(message(alert))
        return Request(self.url, {"content-type": "application/json"}, body)

    def judge(self, status: int, headers: Mapping[str, str], body: bytes) -> Outcome:
        return Sent() if 200 <= status < 300 else judge_refusal(status, headers)


def message(alert: Alert) -> dict[str, object]:
    """The JSON body."""
    labels, annotations = _labels(alert), _annotations(alert)
    is_over = alert.status in CLOSINGS
    status = "resolved" if is_over else "firing"
    about = {
        "status": status,
        "labels": labels,
        "annotations": annotations,
        "startsAt": format_time(alert.opened_at),
        "endsAt": format_time(alert.at) if is_over else NOT_YET,
        "generatorURL": "",
        "fingerprint": alert.fingerprint,
    }
    return {
        "version": "4",
        "groupKey": f"driftline:{alert.alert_id}",
        "truncatedAlerts": 0,
        "status": status,
        "receiver": "driftline",
        "groupLabels": {name: labels[name] for name in ("alertname", "model")},
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": "",
        "alerts": [about],
    }


def _labels(alert: Alert) -> dict[str, str]:
    return {
        "alertname": TEST_NAME if is_test(alert) else ALERT_NAMES[alert.check],
        "severity": alert.severity,
        "model": plain(alert.model, NAME),
        "model_version": plain(alert.model_version, NAME),
        "check": alert.check,
        "scope": plain(alert.scope, NAME),
    }


def _annotations(alert: Alert) -> dict[str, str]:
    topic, partition, offset = alert.opened_by
    said = {
        "summary": plain(alert.summary, TEXT),
        "alert_id": alert.alert_id,
        "status": alert.status,
        "revision": str(alert.revision),
        "at": format_time(alert.at),
        "opened_by": f"{topic}/{partition}/{offset}",
        "lineage": plain(alert.lineage or "", NAME),
        "n": str(alert.n),
        "causes": ", ".join(_cause(cause) for cause in alert.cause[:CAUSES]),
        "reason": plain(alert.reason or "", TEXT),
        "replay": plain(alert.replay, TEXT),
    }
    measured = {
        "value": alert.value,
        "threshold": alert.threshold,
        "effect": alert.effect,
        "coverage": alert.coverage,
    }
    said |= {name: str(value) for name, value in measured.items() if value is not None}
    return {name: text for name, text in said.items() if text}


def _cause(cause: Cause) -> str:
    name = plain(cause.feature or cause.segment or "?", NAME)
    since = "" if cause.first_offset is None else f" from offset {cause.first_offset}"
    return f"{name} (effect {number(cause.effect)}{since})"
