"""How good was a model over time, how much of it is known, and what happened meanwhile?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from driftline.api.history import Scored
from driftline.api.page import words
from driftline.api.page.charts.frame import NAME_HEIGHT, Frame, chart
from driftline.api.page.charts.scales import Span, span_of, ticks, time_ticks
from driftline.api.page.markup import Html, joined, tag

HEIGHT, COVERAGE_HEIGHT, GAP, HEAD = 170.0, 30.0, 22.0, 18.0
SETTLED: Final = 0.95  # a figure with less coverage is drawn hollow


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment with the sign that the list below the chart explains."""

    at: int
    sign: str
    is_lineage: bool = True


@dataclass(frozen=True, slots=True)
class Incident:
    """From its opening to its end; None: still open."""

    start: int
    end: int | None
    sign: str


def performance(
    windows: Sequence[Scored], marks: Sequence[Mark], incidents: Sequence[Incident],
    floors: Sequence[float], metric: str,
) -> Html | None:  # fmt: skip
    """Windows in the order of their time; None without a figure to draw."""
    known = [window for window in windows if window.value is not None]
    if not known:
        return None
    x = Span(min(w.start for w in windows), max(w.end for w in windows))
    values = [w.value for w in known if w.value is not None]
    upper = Frame(x, _range(metric, [*values, *floors]), HEIGHT, HEAD)
    lower = Frame(x, Span(0, 1), COVERAGE_HEIGHT, HEAD + HEIGHT + GAP)
    whole = Frame(x, Span(0, 1), lower.bottom - HEAD, HEAD)
    drawn = [
        *(whole.band(i.start, x.high if i.end is None else i.end, "incident") for i in incidents),
        *(upper.level(y, "grid") for y in ticks(upper.y)),
        *(upper.level(floor, "floor") for floor in floors),
        *(whole.upright(m.at, _kind(m)) for m in marks if x.holds(m.at)),
        *(_covered(lower, window) for window in windows),
        upper.line([(_middle(w), w.value) for w in known if w.value is not None], "line"),
        *(_dot(upper, window, metric) for window in known),
    ]
    signs = [
        *(upper.name(m.at, 12, m.sign, "sign") for m in marks if x.holds(m.at) and m.sign),
        *(upper.name(max(i.start, x.low), HEAD + 14 + place % 3 * 14, i.sign, "sign bad")
          for place, i in enumerate(incidents) if _overlaps(i, x)),
    ]  # fmt: skip
    texts = [
        *signs,
        upper.names_down((y, words.figure(metric, y)) for y in ticks(upper.y)),
        lower.names_down([(0, "0"), (1, "100 %")]),
        tag("text", "labelled", class_="name", x=2, y=lower.top - 5),
        lower.names_across(time_ticks(x)),
    ]
    return chart(_title(known, metric), lower.bottom + NAME_HEIGHT, drawn, texts)


def _range(metric: str, values: Sequence[float]) -> Span:
    span = span_of(values, least=0.1 if metric == words.ACCURACY else 1e-9, margin=0.12)
    if metric == words.ACCURACY:
        return Span(max(0.0, span.low), min(1.0, span.high))
    return Span(0.0, span.high or 1.0)


def _dot(frame: Frame, window: Scored, metric: str) -> Html:
    """Hollow while labels are missing: the paper's colour on top of the line's."""
    said = (
        f"{words.figure(metric, window.value)}, {words.short_time(window.start)} to"
        f" {words.short_time(window.end)}, {window.n:,} predictions by {window.version},"
        f" {words.percent(window.coverage)} labelled"
    )
    x, y = _middle(window), window.value or 0.0
    if window.coverage >= SETTLED:
        return frame.dot(x, y, "dot", said)
    return joined([frame.dot(x, y, "dot"), frame.dot(x, y, "dot hollow", said)])


def _covered(frame: Frame, window: Scored) -> Html:
    left, right = frame.across(window.start), frame.across(window.end)
    top = frame.down(window.coverage)
    return tag("rect", class_="coverage", x=left, y=top,
               width=max(right - left - 1, 1.0), height=frame.bottom - top)  # fmt: skip


def _title(known: Sequence[Scored], metric: str) -> str:
    first, last = known[0], known[-1]
    return (
        f"{words.metric_name(metric).capitalize()} over time, from"
        f" {words.figure(metric, first.value)} from {words.short_time(first.start)} on to"
        f" {words.figure(metric, last.value)} from {words.short_time(last.start)} on, UTC;"
        " the table below has every figure"
    )


def _kind(mark: Mark) -> str:
    return "deployed" if mark.is_lineage else "deployed minor"


def _overlaps(incident: Incident, x: Span) -> bool:
    return incident.start <= x.high and (incident.end is None or incident.end >= x.low)


def _middle(window: Scored) -> float:
    return (window.start + window.end) / 2
