"""The area that a chart is drawn in: it stretches with the page, its texts and dots do not.

The drawing lies in an inner `svg` whose width of 1,000 units is stretched to that of the page;
strokes do not scale along. Texts lie outside of it, placed in per cent. So one SVG is readable on
a phone and on a wide screen, without a script and without inline styles.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Final

from driftline.api.page.charts.scales import Span
from driftline.api.page.markup import Content, Html, joined, tag

WIDTH: Final = 1_000
NAME_HEIGHT: Final = 22  # pixels for the names below the area
EDGE: Final = 0.06  # a name so near to an end is aligned to it


@dataclass(frozen=True, slots=True)
class Frame:
    """An area of `height` pixels whose top is at `top`."""

    x: Span
    y: Span
    height: float
    top: float = 0.0

    def across(self, value: float) -> float:
        """From 0 to 1,000."""
        return self.x.share(value) * WIDTH

    def down(self, value: float) -> float:
        """Pixels from the top of the chart."""
        return self.top + (1 - self.y.share(value)) * self.height

    @property
    def bottom(self) -> float:
        """Pixels from the top of the chart."""
        return self.top + self.height

    def line(self, points: Iterable[tuple[float, float]], kind: str) -> Html:
        """A line through the points, broken where a value is not finite."""
        return tag("path", class_=kind, d=self.path(points))

    def path(self, points: Iterable[tuple[float, float]]) -> str:
        """The line as path data."""
        steps, pen = [], "M"
        for x, y in points:
            if isfinite(y):
                steps.append(f"{pen}{self.across(x):.1f} {self.down(y):.1f}")
                pen = "L"
            else:
                pen = "M"
        return "".join(steps)

    def area(self, low: Sequence[tuple[float, float]], high: Sequence[tuple[float, float]]) -> str:
        """Path data of the area between two lines of finite values."""
        whole = self.path([*low, *reversed(high)])
        return f"{whole}Z" if whole else ""

    def dot(self, x: float, y: float, kind: str, said: str | None = None) -> Html:
        """A point as a line without length, so that it stays round; `said` is its tooltip."""
        title = tag("title", said) if said else None
        return tag("path", title, class_=kind, d=f"M{self.across(x):.1f} {self.down(y):.1f}h.01")

    def upright(self, x: float, kind: str) -> Html:
        """A line from top to bottom."""
        return tag("path", class_=kind, d=f"M{self.across(x):.1f} {self.top:.1f}V{self.bottom:.1f}")

    def level(self, y: float, kind: str) -> Html:
        """A line from left to right."""
        return tag("path", class_=kind, d=f"M0 {self.down(y):.1f}H{WIDTH}")

    def band(self, start: float, end: float, kind: str) -> Html | None:
        """From one value of x to another; None if both lie on the same side of the area."""
        if end < self.x.low or start > self.x.high:
            return None
        left, right = self.across(start), self.across(end)
        return tag("rect", class_=kind, x=left, y=self.top,
                   width=max(right - left, 1.0), height=self.height)  # fmt: skip

    def names_across(self, named: Iterable[tuple[float, str]]) -> Html:
        """Names below the area."""
        return joined(self.name(x, self.bottom + 16, name, "name") for x, name in named)

    def names_down(self, named: Iterable[tuple[float, str]]) -> Html:
        """Names left of the area."""
        return joined(
            tag("text", name, class_="name", x=-8, y=self.down(y) + 4, text_anchor="end")
            for y, name in named
        )

    def name(self, x: float, down: float, said: str, kind: str) -> Html:
        """A text whose middle is at x, or that ends where the area does."""
        share = self.x.share(x)
        anchor = "start" if share < EDGE else "end" if share > 1 - EDGE else "middle"
        return tag("text", said, class_=kind, x=f"{share * 100:.2f}%", y=down, text_anchor=anchor)


def chart(title: str, height: float, drawn: Iterable[Content], texts: Iterable[Content]) -> Html:
    """A chart of `height` pixels; `title` says in a sentence what it shows."""
    inner = tag(
        "svg", *drawn, width="100%", height=height, viewBox=f"0 0 {WIDTH} {height:g}",
        preserveAspectRatio="none", overflow="visible", aria_hidden="true",
    )  # fmt: skip
    outer = tag("svg", inner, *texts, class_="chart", role="img",
                aria_label=title, height=height)  # fmt: skip
    return tag("div", outer, class_="plot")
