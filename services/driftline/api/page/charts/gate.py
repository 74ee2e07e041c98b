"""How near is a challenger to being proven better? Its gain with the bounds, pair by pair."""

from collections.abc import Sequence
from math import isfinite

from driftline.api.history import GatePoint
from driftline.api.page import words
from driftline.api.page.charts.frame import NAME_HEIGHT, Frame, chart
from driftline.api.page.charts.scales import Span, span_of, ticks
from driftline.api.page.markup import Html, tag

HEIGHT = 150.0


def gate(name: str, points: Sequence[GatePoint], least_gain: float) -> Html | None:
    """The points of one test in the order of their pairs; None if there is nothing to draw."""
    if not points:
        return None
    bounded = [p for p in points if p.lower is not None and p.upper is not None]
    bounds = [value for p in bounded for value in (p.lower, p.upper) if value is not None]
    means = [p.mean for p in points if isfinite(p.mean)]
    y = span_of([0.0, least_gain, *means, *bounds], least=0.02, margin=0.08)
    frame = Frame(Span(0, max(p.n for p in points) or 1), y, HEIGHT, 8)
    low = [(p.n, p.lower) for p in bounded if p.lower is not None]
    high = [(p.n, p.upper) for p in bounded if p.upper is not None]
    drawn = [
        tag("path", class_="bounds", d=frame.area(low, high)) if len(bounded) > 1 else None,
        *(frame.level(value, "grid") for value in ticks(y)),
        frame.level(0, "zero"),
        frame.level(least_gain, "floor"),
        frame.line(low, "line bound"),
        frame.line(high, "line bound"),
        frame.line([(p.n, p.mean) for p in points], "line"),
        frame.dot(points[-1].n, points[-1].mean, "dot", _said(points[-1])),
    ]
    texts = [
        frame.names_down((value, words.number(value)) for value in ticks(y)),
        frame.names_across((n, f"{n:,.0f}") for n in ticks(frame.x, 4)),
    ]
    title = f"Gain of {name} over what serves, by number of pairs: {_said(points[-1])}"
    return chart(title, frame.bottom + NAME_HEIGHT, drawn, texts)


def _said(point: GatePoint) -> str:
    said = f"{words.gain(point.mean)} on {point.n:,} pairs"
    if point.lower is None or point.upper is None:
        return f"{said}, no bounds yet"
    return f"{said}, between {words.gain(point.lower)} and {words.gain(point.upper)}"
