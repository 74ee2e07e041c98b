"""All models, what is worst first."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from driftline.api.folds import Folds
from driftline.api.page import words
from driftline.api.page.charts.sparkline import sparkline
from driftline.api.page.health import (
    Health,
    figures,
    health,
    model_names,
    newest_figure,
    open_alerts,
)
from driftline.api.page.layout import Page, badge, link, section
from driftline.api.page.markup import Html, joined, tag
from driftline.api.page.timeline import name_of

COUNTED: Final = {"incident": "with an incident", "attention": "in need of attention"}
LAST: Final = 40  # windows of a sparkline
CARDS: Final = 100  # on a page


def overview(folds: Folds, wanted: str = "", start: int = 0) -> Page:
    """The models whose names contain `wanted`, a page of them, from the `start`-th worst on."""
    names = [name for name in model_names(folds) if wanted.lower() in name.lower()]
    alerts = open_alerts(folds)
    found = [(name, health(folds, name, alerts.get(name, ()))) for name in names]
    found.sort(key=lambda each: (each[1].rank, each[0]))
    shown = found[start : start + CARDS]
    cards = tag("ul", *(_card(folds, name, how) for name, how in shown), class_="cards")
    return Page(
        "Models",
        joined(
            [
                _search(wanted) if wanted or len(names) > 8 else None,
                section(
                    "models",
                    _counted(how for _, how in found),
                    cards,
                    _pages(wanted, start, len(found)),
                )
                if found
                else _nothing(wanted),
            ]
        ),
        here="/",
    )


def _counted(found: Iterable[Health]) -> str:
    """`3 models: 1 with an incident, 2 healthy`."""
    counts = Counter(how.word.lower() for how in found)
    said = ", ".join(f"{n} {COUNTED.get(word, word)}" for word, n in counts.items())
    return f"{words.times(counts.total(), 'model')}: {said}"


def _pages(wanted: str, start: int, total: int) -> Html | None:
    """Which of them are shown, and the ways to the others."""
    if start == 0 and total <= CARDS:
        return None
    query = {"q": wanted} if wanted else {}
    before, after = max(0, start - CARDS), start + CARDS
    return tag(
        "p",
        f"{start + 1:,} to {min(after, total):,} of {total:,}, the worst first. "
        if start < total
        else None,
        link("Worse ones", "/", **query, start=str(before)) if start else None,
        " ",
        link("More models", "/", **query, start=str(after)) if after < total else None,
        class_="links",
    )


def _nothing(wanted: str) -> Html:
    if wanted:
        return tag(
            "p", "No model has ", tag("q", wanted), " in its name. ", link("All models", "/")
        )
    apply = tag("code", "driftline apply model.yaml")
    return section("models", "No models yet", tag("p", "Tell Driftline what to watch: ", apply))


def _search(wanted: str) -> Html:
    return tag(
        "form",
        tag("label", "Find a model", for_="q"),
        tag("input", type="search", id="q", name="q", value=wanted, maxlength=128),
        tag("button", "Find"),
        method="get", action="/", role="search", class_="search",
    )  # fmt: skip


def _card(folds: Folds, name: str, how: Health) -> Html:
    """One model: its name, how it is, the figure and its course."""
    known = folds.registry.models.get(name)
    deployed = known.deployed if known else None
    served = name_of(folds, name, deployed.body.version_id) if deployed else None
    return tag(
        "li",
        tag("h3", link(name, "/model", name=name)),
        tag("p", badge(how.word, how.level)),
        *(tag("p", sentence) for sentence in how.why[:2]),
        _course(folds, name),
        tag("p", "Serving ", served, class_="quiet") if served else None,
        class_=f"card {how.level}",
    )


def _course(folds: Folds, name: str) -> Html | None:
    last = newest_figure(folds, name)
    if last is None:
        return None
    _, windows = figures(folds, name)
    said = f"{words.metric_name(last.metric)}, newest {words.figure(last.metric, last.value)}"
    values = [each.value for each in windows[-LAST:] if each.value is not None]
    return sparkline(said, values, is_share=last.metric == words.ACCURACY)
