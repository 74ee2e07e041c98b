"""What the demo showed, in figures."""

from dataclasses import dataclass
from typing import Any

from driftline.demo.observer import Observed
from driftline.demo.stream import Fault
from driftline_schemas.alerts import Alert
from driftline_schemas.spec import Task


@dataclass(frozen=True, slots=True)
class Delivered:
    """Accepted requests of the receiver, by channel."""

    slack: int
    pagerduty: int


def summarise(
    seen: Observed, task: Task, fault: Fault | None, delivered: Delivered
) -> dict[str, Any]:
    """One JSON-able object; rows are the last ones predicted at the time of an event."""
    errors = [labelled.error for labelled in seen.labelled.values()]
    return {
        "fault": [fault.first, fault.last] if fault else None,
        "data_alarm": _data_alarm(seen),
        "incidents": incidents(seen),
        **figure("served", task, sum(errors) / len(errors) if errors else None),
        "predictions": len({row for _, row in seen.rows}),
        "joined": len(seen.labelled),
        "unmatched": len(seen.unmatched),
        "dead_letters": len(seen.dead_letters),
        "alerts_delivered": delivered.slack + delivered.pagerduty,
    }


def incidents(seen: Observed) -> list[dict[str, Any]]:
    """All of them, in the order in which they opened."""
    by_id: dict[str, list[Alert]] = {}
    for alert in sorted(seen.alerts, key=lambda alert: (alert.opened_at, alert.revision)):
        by_id.setdefault(alert.alert_id, []).append(alert)
    return [
        {
            "check": revisions[0].check,
            "opened": seen.row_at(revisions[0].opened_at),
            "resolved": seen.row_at(last.at) if last.status == "resolved" else None,
        }
        for revisions in by_id.values()
        if (last := revisions[-1])
    ]


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


def figure(whose: str, task: Task, error: float | None) -> dict[str, float | None]:
    """A mean error by the name and in the form that people know: accuracy, or the error itself."""
    if task == "regression":
        return {f"{whose}_mean_absolute_error": None if error is None else round(error, 4)}
    return {f"{whose}_accuracy": None if error is None else round(1 - error, 4)}
