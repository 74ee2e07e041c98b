"""What the pages of a run do not show, drawn as they draw: for docs/concepts.md."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Final

from driftline.api.page import static_files
from driftline.api.page.charts.frame import NAME_HEIGHT, Frame, chart
from driftline.api.page.charts.scales import Span, ticks
from driftline.api.page.markup import Html, joined, tag
from driftline.core.gates.gate import Gate, PairedGains

CSS: Final = Path(static_files.__file__).parent / "static" / "page.css"
OWN_CSS: Final = """
body { margin: 0; padding: 0; width: 880px; }
main { padding: 12px 16px 12px 8px; }
h3 { font-size: 15px; margin: 6px 0; } .plot + h3 { margin-top: 20px; }
p { font-size: 13px; margin: 4px 0 14px; }
.plot { margin-bottom: 0; }
.later { stroke: var(--now); }
.legend.later { color: var(--now); } .legend { color: var(--line); font-weight: 600; }
"""
HEIGHT: Final = 170.0
WINDOW: Final = 100  # predictions of a figure
Points = list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Answer:
    """A labelled prediction: its row, whether it was right, and the newest row predicted when its
    label came."""

    row: int
    is_right: bool
    known_at: int


@dataclass(frozen=True, slots=True)
class Figures:
    """What the gate had after so many pairs of the test of one challenger."""

    gains: PairedGains
    test: int
    rivals: int


def sheet(*parts: Html) -> str:
    """An HTML document that looks like the page."""
    style = tag("style", Html(CSS.read_text(encoding="utf-8") + OWN_CSS))
    head = tag("head", tag("meta", charset="utf-8"), style)
    return f"<!doctype html>{tag('html', head, tag('body', tag('main', *parts)), lang='en')}"


def late_labels(answers: Sequence[Answer], rows: Span, fault: int, takeover: int) -> Html:
    """Accuracy of 100 predictions, where they were made and where their labels came."""
    frame = Frame(rows, Span(0, 1), HEIGHT, 20)
    made, came = _accuracy(answers, frame.x)
    unknown = min(answer.row for answer in answers if answer.known_at > takeover)
    drawn = [
        frame.band(unknown, takeover, "bounds"),
        *(frame.level(value, "grid") for value in ticks(frame.y)),
        frame.upright(fault, "deployed"),
        frame.upright(takeover, "deployed"),
        frame.line(came, "line later"),
        frame.line(made, "line"),
    ]
    texts = [
        frame.name(fault, 12, f"fault, row {fault:,}", "name"),
        frame.name(takeover, 12, f"takeover, row {takeover:,}", "name"),
        frame.names_down((value, f"{value:.0%}") for value in ticks(frame.y)),
        frame.names_across((row, f"{row:,.0f}") for row in ticks(frame.x, 8)),
    ]
    title = "Accuracy of the last 100, by the time of predictions and by the arrival of labels"
    return joined([
        tag("p", tag("span", "by the time of the predictions", class_="legend"), ", ",
            tag("span", "by the arrival of labels", class_="legend later"),
            "; shaded: not labelled yet at the takeover"),
        chart(title, frame.bottom + NAME_HEIGHT, drawn, texts),
    ])  # fmt: skip


def _accuracy(answers: Sequence[Answer], rows: Span) -> tuple[Points, Points]:
    """Of the last 100 predictions up to each row, and of the last 100 labels by then."""
    by_row = sorted(answers, key=lambda answer: answer.row)
    made = zip((answer.row for answer in by_row), _last(by_row), strict=True)
    came = zip((answer.known_at for answer in answers), _last(answers), strict=True)
    return [p for p in made if rows.holds(p[0])], [p for p in came if rows.holds(p[0])]


def _last(answers: Sequence[Answer]) -> list[float]:
    sums = [0, *accumulate(int(answer.is_right) for answer in answers)]
    firsts = (max(0, i - WINDOW) for i in range(1, len(sums)))
    return [(sums[i] - sums[f]) / (i - f) for i, f in enumerate(firsts, 1)]


def bounds(title: str, figures: Sequence[Figures], gate: Gate) -> Html:
    """A gain with its bounds, pair by pair; also of fewer pairs than the gate asks for."""
    bold = Gate(gate.least_gain, 2, gate.alpha, gate.tightest_near)
    judged = [bold.judge(f.gains, test=f.test, rivals=f.rivals) for f in figures]
    frame = Frame(Span(0, 225), Span(-0.7, 1.2), HEIGHT, 20)
    low = [(j.gains.n, max(j.lower, frame.y.low)) for j in judged]
    high = [(j.gains.n, min(j.upper, frame.y.high)) for j in judged]
    end = judged[-1].gains
    drawn = [
        tag("path", class_="bounds", d=frame.area(low, high)),
        *(frame.level(value, "grid") for value in ticks(frame.y)),
        frame.level(0, "zero"),
        frame.level(gate.least_gain, "floor"),
        frame.upright(gate.min_pairs, "deployed"),
        *(frame.line(side, "line bound") for side in (low, high)),
        frame.line([(j.gains.n, j.gains.mean) for j in judged], "line"),
        frame.dot(end.n, end.mean, "dot"),
    ]
    texts = [
        frame.name(gate.min_pairs, 12, f"at least {gate.min_pairs} pairs", "name"),
        frame.names_down((value, f"{value:g}") for value in ticks(frame.y)),
        frame.names_across((n, f"{n:.0f}") for n in ticks(frame.x, 8)),
    ]
    drawing = chart(title, frame.bottom + NAME_HEIGHT, drawn, texts)
    return joined([tag("h3", title), drawing])
