"""Can the colours be told apart, in both themes? (WCAG 2.1: 4.5 for text, 3 for what is drawn.)"""

import re
from itertools import product

import pytest

from driftline.api.page.static_files import content

CSS = content("page.css").decode()
TEXTS = ("ink", "quiet", "link", "bad", "warn", "good")
DRAWN = ("line", "bad", "now", "focus", "warn")
PAPERS = ("paper", "panel")


def theme(dark: bool) -> dict[str, str]:
    """The colours by name."""
    first, second = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", second if dark else first))


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_text_can_be_read_and_drawings_seen(dark: bool) -> None:
    colours = theme(dark)
    wanted = [(4.5, name, paper) for name, paper in product(TEXTS, PAPERS)]
    wanted += [(3.0, name, paper) for name, paper in product(DRAWN, (*PAPERS, "incident"))]
    wanted += [(4.5, "ink", "fill"), (4.5, "ink", "bad-paper"), (4.5, "paper", "link")]
    low = {(a, b): contrast(colours[a], colours[b]) for least, a, b in wanted
           if contrast(colours[a], colours[b]) < least}  # fmt: skip
    assert low == {}


def test_both_themes_name_the_same_colours() -> None:
    assert theme(False).keys() == theme(True).keys()


def test_every_colour_that_is_used_is_named() -> None:
    assert set(re.findall(r"var\(--([a-z-]+)\)", CSS)) <= theme(False).keys()


def test_nothing_is_fetched_from_elsewhere() -> None:
    for name in ("page.css", "page.js", "icon.svg"):
        text = content(name).decode().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?:|//[a-z]|@import|url\(", text.replace("// ", "")), name
