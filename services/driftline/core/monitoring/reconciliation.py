"""Which alerts must be written so that what is published agrees with what the fold knows?

Asked once after a start, when the journal has been read to the end that it had then. An incident is
the same if it is about the same (model, check, scope): even if it now seems to have opened at
another record, whoever was paged for it is not paged again.
"""

from collections.abc import Iterable

from driftline.core.monitoring.alert_life import AlertLife
from driftline_schemas.alerts import Alert

REBUILT = "rebuilt"


def reconcile(lives: Iterable[AlertLife], published: Iterable[Alert], at: int) -> list[Alert]:
    """The alerts to write at the journal's time `at` (ms); lives go on as what was published.

    Open in both: under the published identity and revision. Open only in the fold: published.
    Open only there: resolved.
    """
    newest_last = sorted(published, key=lambda alert: (alert.at, alert.opened_by[2]))
    open_there = {alert.alert_id: alert for alert in newest_last}
    written: list[Alert] = []
    for life in lives:
        if life.alert is not None:
            known = _counterpart(life.alert, list(open_there.values()))
            if known is not None:
                del open_there[known.alert_id]
            written += _agree(life, life.alert, known)
    return written + [_ended(alert, at) for alert in open_there.values()]


def _counterpart(alert: Alert, published: list[Alert]) -> Alert | None:
    """What is published about this incident: by its id, else the newest about the same."""
    about_it = [other for other in published if other.fingerprint == alert.fingerprint]
    same = [other for other in about_it if other.alert_id == alert.alert_id]
    found = same or about_it
    return found[-1] if found else None


def _agree(life: AlertLife, alert: Alert, known: Alert | None) -> list[Alert]:
    if known is None:
        return [alert]
    identity = {name: getattr(known, name) for name in ("alert_id", "opened_at", "opened_by")}
    revision = max(alert.revision, known.revision)
    agreed = alert.model_copy(update={**identity, "revision": revision})
    life.adopt(agreed)
    return [agreed] if revision > known.revision else []


def _ended(alert: Alert, at: int) -> Alert:
    return alert.model_copy(
        update={
            "status": "resolved",
            "revision": alert.revision + 1,
            "at": max(at, alert.at),
            "reason": REBUILT,
            "summary": "the incident was not found again when the state was rebuilt",
        }
    )
