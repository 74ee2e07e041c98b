"""One feature of a model: its drift over time, and its distribution."""

from typing import Final

from driftline.api.folds import Folds
from driftline.api.page import words
from driftline.api.page.charts import drift as charts
from driftline.api.page.charts.distribution import bin_names, distribution, shares
from driftline.api.page.drift import Judged, judged_scope, outcome_badge
from driftline.api.page.layout import Page, facts, folded, link, section, table
from driftline.api.page.markup import Html, joined, tag
from driftline_schemas.control import Bins
from driftline_schemas.spec import PREDICTION_SCOPE

CHANGED: Final = (
    "The reference is no longer that of the specification: the predictions that were accepted, or"
    " those that another lineage took over for, took its place."
)


def feature_page(folds: Folds, model: str, feature: str, target: str | None) -> Page | None:
    """None if the newest verdict does not know the feature."""
    chosen, found = judged_scope(folds, model, feature, target)
    if found is None:
        return None
    back = tag("p", "A feature of ", link(model, "/model", name=model, drift=chosen))
    return Page(
        feature,
        joined(
            [back, _newest(found, chosen), _over_time(found), _distribution(folds, model, found)]
        ),
        here="/",
    )


def _newest(found: Judged, target: str) -> Html:
    r = found.result
    return section(
        "newest",
        "The newest window",
        tag("p", outcome_badge(r)),
        facts(
            [
                ("Effect", words.number(r.effect) if r.effect is not None else None),
                ("Test", r.statistic.replace("_", " ")),
                ("Value", words.number(r.value) if r.value is not None else None),
                ("p", f"{r.p_value:.2g}" if r.p_value is not None else None),
                ("Level", f"{r.threshold:.2g}" if r.threshold is not None else None),
                ("Said", r.reason),
                ("Windows of", f"{target} predictions"),
            ]
        ),
    )


def _over_time(found: Judged) -> Html:
    name, effects = found.result.scope, found.effects
    rows = [
        (
            words.moment(each.start),
            words.moment(each.end),
            f"{each.n:,}",
            words.number(each.value),
            "drifted" if each.drifted else words.NONE,
        )
        for each in reversed(effects)
    ]
    heads = ("From", "To", "Predictions", "Effect", "Outcome")
    return section(
        "over-time",
        "Distance from the reference over time",
        charts.large(name, effects),
        folded("effects", "As a table", table("Effects, the newest first", heads, rows)),
    )


def _distribution(folds: Folds, model: str, found: Judged) -> Html:
    heading = "Reference and current distribution"
    scope = found.result.scope
    reference = folds.history.decided(model).reference()
    bins = None if reference is None else reference.features.get(scope)
    if reference is not None and scope == PREDICTION_SCOPE:
        bins = reference.prediction
    if bins is None:
        return section("distribution", heading, tag("p", "The reference does not hold it."))
    own = found.result.reference
    is_changed = own is not None and len(own) == len(bins.reference)
    if is_changed:
        bins = bins.model_copy(update={"reference": own})
    counts = found.result.counts
    current = None if counts is None or len(counts) != len(bins.reference) else counts
    return section(
        "distribution",
        heading if current is not None else "Distribution in the reference",
        _legend() if current is not None else tag("p", _unknown(), class_="quiet"),
        tag("p", CHANGED, class_="quiet") if is_changed else None,
        distribution(f"{scope}: share of the predictions in each bin", bins, current),
        folded("bins", "As a table", _table(bins, current)),
    )


def _unknown() -> str:
    return (
        "This verdict does not carry the counts of its window (an earlier release wrote it), so"
        " only the reference is drawn; how far the window is from it says the chart above."
    )


def _legend() -> Html:
    before = tag("span", "■ ", class_="bar", aria_hidden="true")
    now = tag("span", "■ ", class_="bar now", aria_hidden="true")
    return tag("p", before, "reference ", now, "newest window")


def _table(bins: Bins, current: list[int] | None) -> Html:
    before = shares(bins.reference)
    now = shares(current) if current is not None else None
    rows = [
        (name, f"{count:,}", words.percent(share), *([words.percent(now[i])] if now else []))
        for i, (name, count, share) in enumerate(
            zip(bin_names(bins), bins.reference, before, strict=False)
        )
    ]
    heads = ["Bin", "Reference", "Share", *(["Newest window"] if now else [])]
    return table("Counts by bin", heads, rows)
