"""One model: how it is, how good it was, what drifted, who may take over, what was decided."""

from collections.abc import Sequence
from typing import Final

from driftline.api.folds import Folds
from driftline.api.page import words
from driftline.api.page.challengers import challengers
from driftline.api.page.drift import drift
from driftline.api.page.health import health, open_alerts
from driftline.api.page.layout import Page, badge, facts, folded, link, section
from driftline.api.page.markup import Content, Html, joined, tag
from driftline.api.page.performance import performance
from driftline.api.page.timeline import name_of
from driftline.core.gates.saying import VERDICTS
from driftline.core.registry.models import ModelState
from driftline_schemas.alerts import Alert
from driftline_schemas.registry import Fact

DEEDS: Final = 8  # before the fold


def model_page(
    folds: Folds, model: str, now: int, *, window: str | None, drift_window: str | None,
    may_decide: bool,
) -> Page:  # fmt: skip
    """Of a model that is known."""
    alerts = open_alerts(folds).get(model, [])
    known = folds.registry.models.get(model)
    return Page(
        model,
        joined(
            [
                _summary(folds, model, alerts),
                _serving(folds, known, now) if known else None,
                _links(model, known, may_decide=may_decide),
                performance(folds, model, window),
                drift(folds, model, drift_window),
                challengers(folds, model),
                _decisions(folds, model),
            ]
        ),
        here="/",
    )


def _summary(folds: Folds, model: str, alerts: Sequence[Alert]) -> Html:
    how = health(folds, model, alerts)
    said = [tag("p", sentence) for sentence in how.why]
    more = [tag("p", link("Cause and history", "/alert", id=a.alert_id)) for a in alerts]
    return section("health", "Health", tag("p", badge(how.word, how.level)), *said, *more)


def _serving(folds: Folds, known: ModelState, now: int) -> Html:
    spec, deployed = known.spec, known.deployed
    pairs: list[tuple[str, Content]] = [
        ("Task", spec.body.spec.task if spec else None),
        ("Features", f"{len(spec.body.spec.features)} watched" if spec else None),
        ("Specification", spec.body.spec_hash if spec else None),
    ]
    if deployed is not None:
        decided = deployed.decided
        name = name_of(folds, known.name, deployed.body.version_id)
        pairs += [
            ("Serving", f"{name}, lineage {deployed.body.lineage}"),
            ("Since", words.moment(decided.at)),
            ("By", decided.actor),
            ("Reason", decided.reason),
            ("Scorers", _scorers(folds, known.name, now)),
        ]
    elif spec is not None:
        pairs.append(("Serving", "nothing of ours: the model is served outside"
                      if spec.body.spec.champion is None else "no version yet"))  # fmt: skip
    held = ", ".join(f"{name} (by {by.actor})" for name, by in known.held.items())
    return section("serving", "What serves", facts([*pairs, ("Held", held or None)]))


def _scorers(folds: Folds, model: str, now: int) -> str | None:
    found = folds.confirmations(model, now)
    counted = (
        (len(found.confirmed), "confirmed"), (len(found.pending), "pending"),
        (len(found.silent), "silent"),
    )  # fmt: skip
    said = ", ".join(f"{n} {word}" for n, word in counted if n)
    return said or None


def _links(model: str, known: ModelState | None, *, may_decide: bool) -> Html:
    entries = [link("Alerts of this model", "/alerts", model=model)]
    if known is not None and known.versions:
        versions = f"Versions ({len(known.versions):,})"
        entries.insert(0, link(versions, "/versions", name=model))
        if may_decide and known.promotions.earlier() is not None:
            entries.append(link("Roll back …", "/rollback", class_="button", name=model))
    return tag("p", *entries, class_="links")


def _decisions(folds: Folds, model: str) -> Html | None:
    deeds = list(reversed(folds.history.decided(model).deeds))
    if not deeds:
        return None
    entries = [_deed(folds, model, fact) for fact in deeds]
    shown, rest = entries[:DEEDS], entries[DEEDS:]
    return section(
        "decisions",
        "Decisions, the newest first",
        tag("ol", *shown, class_="entries"),
        folded("decisions-rest", f"{len(rest)} earlier", tag("ol", *rest, class_="entries"))
        if rest
        else None,
    )


def _deed(folds: Folds, model: str, fact: Fact) -> Html:
    parts = []
    if (verdict := VERDICTS.get(fact.body.get("verdict", ""))) is not None:
        parts.append(f"{fact.body.get('challenger')} is {verdict}")
    if isinstance(deployed := fact.body.get("deployed"), dict):
        parts.append(f"{name_of(folds, model, str(deployed.get('version_id')))} serves")
    what = words.ACTIONS.get(fact.action, fact.action)
    what = f"{what}: {', '.join(parts)}" if parts else what
    refused = None
    if fact.outcome == "refused":
        refused = tag("p", badge("refused", "warn"), f" {fact.body.get('why', '')}")
    return tag(
        "li",
        tag("p", tag("b", words.capital(what).rstrip(".")), " by ", fact.actor),
        tag("p", f"“{fact.reason}”"),
        refused,
        tag("p", words.moment(fact.at), f" · fact {fact.seq:,}", class_="quiet"),
    )
