"""What the demo showed, in figures."""

from dataclasses import dataclass
from typing import Any

from driftline.demo.observer import Observed
from driftline.demo.segments import Fault
from driftline_schemas.alerts import Alert


@dataclass(frozen=True, slots=True)
class Delivered:
    """Accepted requests of the receiver, by channel."""

    slack: int
    pagerduty: int


def summarise(
    seen: Observed, fault: Fault | None, delivered: Delivered, seconds: float
) -> dict[str, Any]:
    """One JSON-able object; rows are the last ones predicted at the time of an event."""
    return {
        "fault": [fault.first, fault.last] if fault else None,
        "data_alarm": _data_alarm(seen),
        "incident": _incident(seen, "error"),
        "data_incident": _incident(seen, "data"),
        "incidents": len({alert.alert_id for alert in seen.alerts}),
        "frozen_accuracy": _accuracy(seen),
        "predictions": len({row for _, row in seen.rows}),
        "joined": len(seen.right),
        "unmatched": len(seen.unmatched),
        "dead_letters": len(seen.dead_letters),
        "alerts_delivered": delivered.slack + delivered.pagerduty,
        "seconds": round(seconds, 1),
    }


def revisions(seen: Observed, check: str) -> list[Alert]:
    """The revisions of a check's first incident, in order."""
    of_check = [alert for alert in seen.alerts if alert.check == check]
    first = min(of_check, key=lambda alert: alert.opened_at, default=None)
    same = [a for a in of_check if first is not None and a.alert_id == first.alert_id]
    return sorted(same, key=lambda alert: alert.revision)


def _data_alarm(seen: Observed) -> dict[str, Any] | None:
    """The last row of the first window that was found drifted, and the last revision's features."""
    drifted = [v for v in seen.verdicts.values() if v.check == "data" and v.outcome == "drifted"]
    incident = revisions(seen, "data")
    if not drifted or not incident:
        return None
    first = min(drifted, key=lambda verdict: verdict.window.end)
    features = [cause.feature for cause in incident[-1].cause]
    return {"row": seen.row_at(first.window.end - 1), "features": sorted(filter(None, features))}


def _incident(seen: Observed, check: str) -> dict[str, Any] | None:
    incident = revisions(seen, check)
    if not incident:
        return None
    last = incident[-1]
    resolved = seen.row_at(last.at) if last.status == "resolved" else None
    return {"opened": seen.row_at(incident[0].opened_at), "resolved": resolved}


def _accuracy(seen: Observed) -> float | None:
    return round(sum(seen.right.values()) / len(seen.right), 4) if seen.right else None
