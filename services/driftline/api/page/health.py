"""How is a model, in words?"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from driftline.api.folds import OPEN, Folds
from driftline.api.history import Scored
from driftline.api.page import words
from driftline_schemas.alerts import Alert
from driftline_schemas.verdicts import Verdict

UNREGISTERED: Final = 100  # names without a specification that are shown
SETTLED: Final = 0.95  # a figure with so many of its labels is worth telling first
LEVELS: Final = ("bad", "warn", "idle", "good")
MONTH: Final = "month"
TARGETS: Final = ("200", "1000", "5000", MONTH)


@dataclass(frozen=True, slots=True)
class Health:
    """A level, the word for it, and the sentences that say why."""

    level: str
    word: str
    why: tuple[str, ...]

    @property
    def rank(self) -> int:
        """What is worst comes first."""
        return LEVELS.index(self.level)


def model_names(folds: Folds) -> list[str]:
    """Those with a specification, and some of those that merely send."""
    known = sorted(folds.registry.models)
    others = {*folds.history.findings, *(alert.model for alert in folds.alerts.values())}
    return [*known, *sorted(others - set(known))[:UNREGISTERED]]


def open_alerts(folds: Folds) -> dict[str, list[Alert]]:
    """By model, the critical ones first."""
    found: dict[str, list[Alert]] = {}
    for alert in folds.alerts.values():
        if alert.status in OPEN:
            found.setdefault(alert.model, []).append(alert)
    for alerts in found.values():
        alerts.sort(key=lambda alert: alert.severity != "critical")
    return found


def health(folds: Folds, model: str, alerts: Iterable[Alert]) -> Health:
    """Of one model, with its open alerts."""
    if said := [f"{words.CHECKS[alert.check]}: {alert.summary}" for alert in alerts]:
        is_bad = any(alert.severity in ("critical", "error") for alert in alerts)
        return Health("bad" if is_bad else "warn", "Incident", tuple(map(words.capital, said)))
    if model not in folds.registry.models:
        return Health("idle", "Not watched", ("No specification of this model is applied.",))
    if broken := _broken(folds, model):
        return Health("warn", "Attention", broken)
    found = folds.history.of(model)
    said = _judged(newest(found.newest)) + _performed(newest_figure(folds, model))
    if not said:
        waits = "No window is judged yet: the first needs 200 predictions in closed panes."
        return Health("idle", "Waiting", (waits,))
    return Health("good", "Healthy", tuple(said))


def newest(verdicts: Mapping[str, Verdict]) -> Verdict | None:
    """The verdict on the latest window, of several the smallest."""
    return max(verdicts.values(), key=lambda v: (v.window.end, v.window.start), default=None)


def figures(folds: Folds, model: str, target: str | None = None) -> tuple[str, list[Scored]]:
    """The windows of a target (else of the smallest that has any) by time, and which it is."""
    scored = folds.history.of(model).scored
    known = [each for each in (*TARGETS, *scored) if each in scored]
    chosen = target if target in scored else next(iter(known), TARGETS[0])
    return chosen, sorted(scored.get(chosen, {}).values(), key=lambda each: each.start)


def newest_figure(folds: Folds, model: str) -> Scored | None:
    """The latest judged window whose labels have come, else the latest of which anything is known.
    A month is no judged window: it counts from its first prediction, and ends in the future."""
    target, windows = figures(folds, model)
    if target == MONTH:
        return None
    known = [each for each in reversed(windows) if each.value is not None]
    settled = (each for each in known if each.coverage >= SETTLED)
    return next(settled, known[0] if known else None)


def figure_said(window: Scored) -> str:
    """`accuracy 94.1 % over 212 predictions until 2026-11-25 21:00:00, all labelled`."""
    labelled = "all" if window.coverage >= 1 else f"{words.percent(window.coverage)} of them"
    return (
        f"{words.metric_name(window.metric)} {words.figure(window.metric, window.value)} over"
        f" {words.times(window.n, 'prediction')} until {words.short_time(window.end)},"
        f" {labelled} labelled"
    )


def _broken(folds: Folds, model: str) -> tuple[str, ...]:
    reasons = {metric.pipeline: metric.reason for metric in folds.learned(model) if metric.reason}
    return tuple(
        words.capital(f"pipeline {name} is broken: {why}") for name, why in reasons.items()
    )


def _judged(verdict: Verdict | None) -> list[str]:
    if verdict is None:
        return []
    over = f"over {words.times(verdict.window.n, 'prediction')}"
    if drifted := [r.scope for r in verdict.results if r.outcome == "drifted"]:
        more = f" and {len(drifted) - 3} more" if len(drifted) > 3 else ""
        named = ", ".join(drifted[:3])
        return [words.capital(f"{named}{more} differ from the reference {over}, no incident")]
    judged = sum(r.outcome == "ok" for r in verdict.results)
    if not judged:
        return [words.capital(f"drift cannot be judged: {r.reason}") for r in verdict.results[:1]]
    missing = [r.scope for r in verdict.results if r.outcome != "ok"]
    more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
    but = f"; not judged: {', '.join(missing[:3])}{more}" if missing else ""
    return [words.capital(f"no drift in {words.times(judged, 'feature')} {over}{but}")]


def _performed(window: Scored | None) -> list[str]:
    return [words.capital(figure_said(window))] if window else []
