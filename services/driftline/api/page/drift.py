"""The section that shows how far each feature is from the reference, the worst first."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Final

from driftline.api.folds import Folds
from driftline.api.history import OUTCOMES, Compared
from driftline.api.page import words
from driftline.api.page.charts import drift as charts
from driftline.api.page.charts.drift import Effect
from driftline.api.page.health import TARGETS
from driftline.api.page.layout import badge, folded, link, section, table
from driftline.api.page.markup import Html, tag
from driftline.api.page.performance import targets
from driftline_schemas.verdicts import Result

SHOWN: Final = 15  # small charts before the fold, and whatever drifted
DRAWN: Final = 100  # small charts at all; the table has every feature
HEADS: Final = ("Feature", "Outcome", "Effect", "Test", "p", "Level", "Said")
LEVELS: Final = {"drifted": "bad", "ok": "good"}


@dataclass(frozen=True, slots=True)
class Judged:
    """A scope: its newest result and its effects over time."""

    result: Result
    effects: Sequence[Effect]

    @property
    def order(self) -> tuple[bool, int, bool, float, str]:
        """The worst first: what drifted now, or lately; then what is blind; then by effect."""
        result = self.result
        lately = sum(effect.drifted for effect in self.effects)
        is_judged = result.outcome != "cannot_evaluate"
        effect = -(result.effect or 0.0)
        return result.outcome != "drifted", -lately, is_judged, effect, result.scope


def judged(folds: Folds, model: str, target: str | None) -> tuple[str, list[Judged]]:
    """All scopes for windows of a target (else of the smallest that there are), and which it is."""
    chosen, windows, results = _compared(folds, model, target)
    series = effects_of(windows)
    scopes = [Judged(result, series.get(result.scope, ())) for result in results]
    return chosen, sorted(scopes, key=lambda each: each.order)


def judged_scope(
    folds: Folds, model: str, scope: str, target: str | None
) -> tuple[str, Judged | None]:
    """One of them alone; None if the newest verdict does not know it."""
    chosen, windows, results = _compared(folds, model, target)
    result = next((each for each in results if each.scope == scope), None)
    if result is None:
        return chosen, None
    places = [(window, window.scopes.index(scope)) for window in windows if scope in window.scopes]
    return chosen, Judged(result, [_effect(window, place) for window, place in places])


def _compared(
    folds: Folds, model: str, target: str | None
) -> tuple[str, list[Compared], Sequence[Result]]:
    """Which target it is, its windows by time, and the results of its newest verdict."""
    found = folds.history.of(model)
    known = [each for each in (*TARGETS, *found.compared) if each in found.compared]
    chosen = target if target in found.compared else next(iter(known), TARGETS[0])
    windows = sorted(found.compared.get(chosen, {}).values(), key=lambda each: each.start)
    return chosen, windows, found.newest[chosen].results if chosen in found.newest else ()


def effects_of(windows: Sequence[Compared]) -> dict[str, list[Effect]]:
    """By scope, in the order of the windows."""
    series: dict[str, list[Effect]] = {}
    for window in windows:
        for place, scope in enumerate(window.scopes):
            series.setdefault(scope, []).append(_effect(window, place))
    return series


def _effect(window: Compared, place: int) -> Effect:
    is_drifted = OUTCOMES[window.outcomes[place]] == "drifted"
    return Effect(window.start, window.end, window.n, window.effects[place], is_drifted)


def drift(folds: Folds, model: str, target: str | None) -> Html:
    """A small chart for each scope."""
    chosen, scopes = judged(folds, model, target)
    heading = "Drift by feature, the worst first"
    if not scopes:
        wait = "No window is judged yet: the first needs 200 predictions in closed panes."
        return section("drift", heading, tag("p", wait))
    top = charts.highest([each.effects for each in scopes])
    tiles = [_tile(model, each, chosen, top) for each in scopes[:DRAWN]]
    shown = max(SHOWN, sum(each.result.outcome == "drifted" for each in scopes))
    rest = tiles[shown:]
    return section(
        "drift",
        heading,
        targets(model, folds.history.of(model).compared, chosen, "drift"),
        tag(
            "p",
            "Distance from the reference (Jensen-Shannon, 0 same to 1 apart), all on the scale 0"
            f" to {words.number(top)}. A dot: in this window the test was past its level. The test"
            " decides, not the height: small windows are never quite like their reference.",
            class_="quiet",
        ),
        tag("ul", *tiles[:shown], class_="tiles"),
        folded("drift-rest", f"{len(rest)} more", tag("ul", *rest, class_="tiles"))
        if rest
        else None,
        tag("p", f"Drawn are the worst {DRAWN}.", class_="quiet") if len(scopes) > DRAWN else None,
        folded("drift-table", "All features as a table", _table(model, scopes)),
    )


def outcome_badge(result: Result) -> Html:
    """The outcome in words."""
    return badge(words.OUTCOMES[result.outcome], LEVELS.get(result.outcome, "idle"))


def _tile(model: str, each: Judged, target: str, top: float) -> Html:
    result = each.result
    name = link(result.scope, "/feature", name=model, feature=result.scope, drift=target)
    effect = f" {result.effect:.2f}" if result.effect is not None else ""
    return tag(
        "li",
        tag("h3", name),
        tag("p", outcome_badge(result), effect),
        charts.small(result.scope, each.effects, top)
        if any(isfinite(effect.value) for effect in each.effects)
        else tag("p", words.capital(result.reason), class_="quiet"),
        class_="tile",
    )


def _table(model: str, scopes: Sequence[Judged]) -> Html:
    rows = [
        (
            link(r.scope, "/feature", name=model, feature=r.scope),
            words.OUTCOMES[r.outcome],
            words.number(r.effect),
            r.statistic.replace("_", " "),
            words.NONE if r.p_value is None else f"{r.p_value:.2g}",
            words.NONE if r.threshold is None else f"{r.threshold:.2g}",
            r.reason,
        )
        for r in (each.result for each in scopes)
    ]
    return table("The newest window, feature by feature", HEADS, rows)
