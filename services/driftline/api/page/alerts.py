"""Alerts: what is open and what was, and of one its cause and its history."""

from collections.abc import Sequence
from typing import Final

from driftline.api.folds import OPEN, Folds
from driftline.api.history import Revised
from driftline.api.page import words
from driftline.api.page.layout import Page, badge, facts, link, section, table
from driftline.api.page.markup import Html, joined, tag
from driftline.api.page.timeline import ended, name_of
from driftline_schemas.alerts import Alert

SHOWN: Final = 100  # of those that are over


def alerts_page(folds: Folds, model: str | None) -> Page:
    """Of all models, or of one; the newest first."""
    found = [alert for alert in folds.alerts.values() if model in (None, alert.model)]
    found.sort(key=lambda alert: -alert.opened_at)
    still = [alert for alert in found if alert.status in OPEN]
    over = [alert for alert in found if alert.status not in OPEN][:SHOWN]
    all_models = link("All models", "/alerts")
    return Page(
        f"Alerts of {model}" if model else "Alerts",
        joined(
            [
                tag("p", "Of ", link(model, "/model", name=model), ". ", all_models)
                if model
                else None,
                section("open", f"Open ({len(still)})", _list(still, "Nothing is open.")),
                section("over", "Over", _list(over, "Nothing was.")),
            ]
        ),
        here="/alerts",
    )


def alert_page(folds: Folds, alert: Alert) -> Page:
    """One alert, whatever became of it."""
    return Page(
        f"{words.CHECKS[alert.check]}: {alert.model}",
        joined([_now(folds, alert), _cause(alert), _history(folds, alert)]),
        here="/alerts",
    )


def status_badge(alert: Alert) -> Html:
    """Its status in words."""
    is_open = alert.status in OPEN
    level = "idle" if not is_open else "bad" if alert.severity in ("critical", "error") else "warn"
    return badge(words.STATUSES[alert.status], "good" if alert.status == "resolved" else level)


def _list(alerts: Sequence[Alert], nothing: str) -> Html:
    if not alerts:
        return tag("p", nothing)
    return tag("ul", *(_entry(alert) for alert in alerts), class_="entries")


def _entry(alert: Alert) -> Html:
    over = ended(alert)
    return tag(
        "li",
        tag("h3", link(words.CHECKS[alert.check], "/alert", id=alert.alert_id), " of ",
            link(alert.model, "/model", name=alert.model), " ", status_badge(alert)),
        tag("p", words.capital(alert.summary)),
        tag("p", words.moment(alert.opened_at), " until " if over else " until now",
            words.moment(over) if over else None, class_="quiet"),
    )  # fmt: skip


def _now(folds: Folds, alert: Alert) -> Html:
    over = ended(alert)
    topic, partition, offset = alert.opened_by
    return section(
        "now",
        "What is known",
        tag("p", status_badge(alert), f" {alert.severity}"),
        tag("p", words.capital(alert.summary)),
        facts(
            [
                ("Model", link(alert.model, "/model", name=alert.model)),
                ("Version", name_of(folds, alert.model, alert.model_version)),
                ("Opened", words.moment(alert.opened_at)),
                ("Over", words.moment(over) if over else None),
                ("Opened by", f"{topic}, partition {partition}, offset {offset:,}"),
                ("Value", _maybe(alert.value)),
                ("Threshold", _maybe(alert.threshold)),
                ("Effect", _maybe(alert.effect)),
                ("Predictions or labels", f"{alert.n:,}"),
                ("Labelled", words.percent(alert.coverage) if alert.coverage is not None else None),
                ("Reason", alert.reason),
                ("Play it again", tag("code", alert.replay)),
                ("Alert id", alert.alert_id),
            ]
        ),
    )


def _maybe(value: float | None) -> str | None:
    return None if value is None else words.number(value)


def _cause(alert: Alert) -> Html | None:
    if not alert.cause:
        return None
    rows = [
        (
            link(c.feature, "/feature", name=alert.model, feature=c.feature)
            if c.feature
            else c.segment,
            words.number(c.effect),
            words.NONE if c.first_offset is None else f"{c.first_offset:,}",
        )
        for c in alert.cause
    ]
    heads = ("Feature or segment", "Effect", "First journal offset")
    return section("cause", "Cause, the largest first", table("Ranked cause", heads, rows))


def _history(folds: Folds, alert: Alert) -> Html:
    first = folds.history.first.get(alert.alert_id)
    known = list(folds.history.revisions.get(alert.alert_id, ()))
    if first is not None and known and known[0].revision != first.revision:
        known.insert(0, first)
    entries = [_revision(each) for each in reversed(known)]
    return section("history", "History, the newest first", tag("ol", *entries, class_="history"))


def _revision(said: Revised) -> Html:
    status = words.STATUSES.get(said.status, said.status)
    return tag(
        "li",
        tag("p", tag("b", words.capital(status).rstrip(".")), " ", words.moment(said.at),
            f" · revision {said.revision}"),
        tag("p", words.capital(said.summary)),
        tag("p", f"Reason: {said.reason}") if said.reason else None,
    )  # fmt: skip
