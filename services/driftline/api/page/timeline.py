"""What happened to a model, in signs on a chart and in words below it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Final

from driftline.api.folds import Folds
from driftline.api.history import Deployment
from driftline.api.page import words
from driftline.api.page.charts.performance import Incident, Mark
from driftline.api.page.layout import link
from driftline.api.page.markup import Content, Html, joined, tag
from driftline_schemas.alerts import Alert

MOST: Final = 12  # of each kind that get a sign; the newest


@dataclass(frozen=True, slots=True)
class Timeline:
    """Marks for deployments, spans for incidents, and the list that explains their signs."""

    marks: Sequence[Mark]
    incidents: Sequence[Incident]
    legend: Html | None


def timeline(folds: Folds, model: str) -> Timeline:
    """Another lineage is `1`, `2`, ...; an incident is `A`, `B`, ...; what merely follows has no
    sign. Times are the clock's: of a history that is played again they lie beside its windows."""
    deployments = folds.history.decided(model).deployments
    lineages = [each for each in deployments if each.changes_lineage][-MOST:]
    signs = {each.fact.seq: str(place) for place, each in enumerate(lineages, 1)}
    alerts = [alert for alert in folds.alerts.values() if alert.model == model][-MOST:]
    alerts.sort(key=lambda alert: alert.opened_at)
    lettered = list(zip(ascii_uppercase, alerts, strict=False))
    marks = [
        Mark(each.at, signs.get(each.fact.seq, ""), each.changes_lineage) for each in deployments
    ]
    incidents = [Incident(a.opened_at, ended(a), sign) for sign, a in lettered]
    named = {d.version_id: name_of(folds, model, d.version_id) for d in lineages}
    rows = [
        *((d.at, signs[d.fact.seq], _deployed(d, named[d.version_id])) for d in lineages),
        *((a.opened_at, sign, _opened(a)) for sign, a in lettered),
    ]
    return Timeline(marks, incidents, _legend(sorted(rows, key=lambda row: row[0])))


def ended(alert: Alert) -> int | None:
    """When it was over; None while it is open."""
    return alert.at if alert.status in ("resolved", "retracted") else None


def name_of(folds: Folds, model: str, version_id: str) -> str:
    """`pipeline/v12`, else the id itself."""
    known = folds.registry.models.get(model)
    version = known.versions.get(version_id) if known else None
    return version.name.removeprefix(f"{model}/") if version else version_id


def _deployed(deployment: Deployment, name: str) -> Html:
    fact = deployment.fact
    action = words.ACTIONS.get(fact.action, fact.action)
    action = "first version" if fact.action == "model_updated" else action
    return joined([tag("b", name), f" took over: {action} by {fact.actor}, “{fact.reason}”"])


def _opened(alert: Alert) -> Html:
    over = ended(alert)
    until: Content = joined([" until ", words.moment(over)]) if over else ", still open"
    name = link(words.CHECKS[alert.check], "/alert", id=alert.alert_id)
    return joined([name, until])


def _legend(rows: Iterable[tuple[int, str, Html]]) -> Html | None:
    entries = [
        tag("li", tag("b", sign, class_="sign"), " ", words.moment(at), " ", said)
        for at, sign, said in rows
    ]
    return tag("ol", *entries, class_="legend") if entries else None
