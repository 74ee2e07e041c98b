"""The course of one figure, in the size of a line."""

from collections.abc import Sequence

from driftline.api.page.charts.frame import Frame, chart
from driftline.api.page.charts.scales import Span, span_of
from driftline.api.page.markup import Html

HEIGHT = 36.0


def sparkline(title: str, values: Sequence[float], *, is_share: bool) -> Html:
    """Values in the order of their time, the newest with a dot; shares on at least a tenth."""
    y = span_of(values, least=0.1 if is_share else 1e-9, margin=0.05)
    frame = Frame(Span(0, max(len(values) - 1, 1)), y, HEIGHT - 8, 4)
    drawn = [frame.line(list(enumerate(values)), "line thin")]
    if values:
        drawn.append(frame.dot(len(values) - 1, values[-1], "dot"))
    return chart(title, HEIGHT, drawn, ())
