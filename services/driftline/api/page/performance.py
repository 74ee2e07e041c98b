"""The section that says how good a model was over time."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from driftline.api.folds import Folds
from driftline.api.history import Scored
from driftline.api.page import words
from driftline.api.page.charts.performance import performance as drawn
from driftline.api.page.health import MONTH, TARGETS, figures
from driftline.api.page.layout import address_of, folded, section, table
from driftline.api.page.markup import Html, joined, tag
from driftline.api.page.timeline import name_of, timeline

HEADS: Final = ("From", "To", "Predictions", "Figure", "Labelled", "Version", "Said")


def performance(folds: Folds, model: str, target: str | None) -> Html:
    """For windows of a target, else of the smallest that there are."""
    chosen, found = figures(folds, model, target)
    windows = [replace(each, version=name_of(folds, model, each.version)) for each in found]
    metric = windows[-1].metric if windows else words.ACCURACY
    happened = timeline(folds, model)
    floors = _floors(folds, model, metric)
    chart = drawn(windows, happened.marks, happened.incidents, floors, metric)
    heading = words.metric_name(metric).capitalize() + " over time"
    if chart is None:
        return section("performance", heading, _missing(windows), happened.legend)
    return section(
        "performance",
        heading,
        targets(model, folds.history.of(model).scored, chosen, "window"),
        chart,
        tag(
            "p",
            "By the time of the predictions. Hollow: fewer than 95 % are labelled, so the figure"
            " may still change. Dotted upright: another version serves; shaded: an incident."
            + (" Dashed across: the floor." if floors else "")
            + (" Each is a calendar month, the newest so far." if chosen == MONTH else ""),
            class_="quiet",
        ),
        happened.legend,
        folded("performance-table", "Every figure as a table", _table(windows)),
    )


def targets(model: str, known: Iterable[str], chosen: str, parameter: str) -> Html | None:
    """Links to the other sizes of windows."""
    sizes = [target for target in TARGETS if target in set(known)]
    if len(sizes) < 2:
        return None
    links = [
        tag(
            "a",
            "months" if size == "month" else f"{int(size):,}",
            href=address_of("/model", name=model, **{parameter: size}),
            aria_current="true" if size == chosen else None,
        )
        for size in sizes
    ]
    return tag("p", "Predictions a window: ", *links, class_="choices")


def _floors(folds: Folds, model: str, metric: str) -> list[float]:
    known = folds.registry.models.get(model)
    floors = known.spec.body.spec.floors if known and known.spec else []
    return [floor.below for floor in floors if floor.metric == metric]


def _missing(windows: Sequence[Scored]) -> Html:
    why = windows[-1].reason if windows else "no window is judged yet"
    return tag("p", words.capital(why))


def _table(windows: Sequence[Scored]) -> Html:
    rows = [
        (
            words.moment(each.start),
            words.moment(each.end),
            f"{each.n:,}",
            words.figure(each.metric, each.value),
            words.percent(each.coverage),
            each.version,
            each.reason,
        )
        for each in reversed(windows)
    ]
    return joined([table("Figures by window, the newest first", HEADS, rows)])
