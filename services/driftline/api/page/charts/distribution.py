"""Which share of the predictions falls into each bin: in the reference, and in a window?"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from driftline.api.page import words
from driftline.api.page.charts.frame import Frame, chart
from driftline.api.page.charts.scales import Span
from driftline.api.page.markup import Html, tag
from driftline_schemas.control import Bins

BAR, ROOM = 11.0, 7.0  # pixels of a bar, and between the bins
TOP_CATEGORIES: Final = 20  # with bins of their own, as the joiner counts


def bin_names(bins: Bins) -> list[str]:
    """What each place of the counts stands for."""
    if bins.kind == "numeric":
        edges = [words.number(edge) for edge in bins.edges or ()]
        between = [f"{low} to {high}" for low, high in pairwise(edges)]
        ends = [f"below {edges[0]}", *between, f"{edges[-1]} or more"] if edges else ["any number"]
        return [*ends, "missing", "invalid"]
    if bins.kind == "boolean":
        return ["false", "true", "missing", "invalid"]
    return [*(bins.categories or ())[:TOP_CATEGORIES], "other", "new", "missing", "invalid"]


def shares(counts: Sequence[int]) -> list[float]:
    """Of the whole; zeros of nothing."""
    whole = sum(counts)
    return [count / whole if whole else 0.0 for count in counts]


def distribution(title: str, bins: Bins, current: Sequence[int] | None) -> Html:
    """A row for each bin, as tall as it needs: bars of the reference and, if known, the window."""
    names, before = bin_names(bins), shares(bins.reference)
    now = shares(current) if current is not None and len(current) == len(before) else None
    longest = max([*before, *(now or ()), 1e-9])
    row = ROOM + BAR * (1 if now is None else 2)
    frame = Frame(Span(0, longest * 1.15), Span(0, 1), row * len(before))
    drawn, texts = [], []
    for place, share in enumerate(before):
        top = place * row + ROOM / 2
        drawn.append(_bar(frame, share, top, "bar"))
        texts.append(_name(names[place] if place < len(names) else "?", (row - ROOM) / 2 + top + 4))
        texts.append(_value(frame, share, top + BAR - 1))
        if now is not None:
            drawn.append(_bar(frame, now[place], top + BAR, "bar now"))
            texts.append(_value(frame, now[place], top + 2 * BAR))
    return tag("div", chart(title, frame.height, drawn, texts), class_="wide")


def _bar(frame: Frame, share: float, top: float, kind: str) -> Html:
    return tag("rect", class_=kind, x=0, y=top, width=frame.across(share), height=BAR)


def _name(said: str, down: float) -> Html:
    shown = said if len(said) <= 18 else f"{said[:17]}…"
    return tag("text", tag("title", said), shown, class_="name", x=-8, y=down, text_anchor="end")


def _value(frame: Frame, share: float, down: float) -> Html:
    across = f"{frame.x.share(share) * 100 + 0.6:.2f}%"
    return tag("text", words.percent(share), class_="name tiny", x=across, y=down)
