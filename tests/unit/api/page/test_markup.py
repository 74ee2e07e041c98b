"""Can anything that somebody typed become markup?"""

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.api.page.markup import Html, joined, tag


class Read(HTMLParser):
    """What a browser would make of it."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, attrs))

    def handle_data(self, data: str) -> None:
        self.text += data


def read(html: str) -> Read:
    found = Read()
    found.feed(html)
    found.close()
    return found


ANY = st.text(st.characters(exclude_characters="\r\0", exclude_categories=["Cs"]))


@given(ANY, ANY)
def test_text_and_attributes_come_back_as_they_were_typed(text: str, value: str) -> None:
    found = read(tag("p", text, title=value))
    assert found.tags == [("p", [("title", value)])]
    assert found.text == text


def test_markup_inside_of_markup_stays_markup() -> None:
    assert tag("p", tag("b", "<"), ">") == "<p><b>&lt;</b>&gt;</p>"


def test_what_is_not_said_is_left_out() -> None:
    assert tag("a", None, href=None, hidden=False, open=True, for_="x", aria_label="y") == (
        '<a open for="x" aria-label="y"></a>'
    )


def test_elements_without_content_are_not_closed_but_those_of_svg_are() -> None:
    assert tag("input", name="q") == '<input name="q">'
    assert tag("path", d="M0 0") == '<path d="M0 0"></path>'


@pytest.mark.parametrize(("value", "shown"), [(1.0, "1"), (0.126, "0.13"), (1e9, "1000000000")])
def test_numbers_are_short(value: float, shown: str) -> None:
    assert tag("rect", x=value) == f'<rect x="{shown}"></rect>'


def test_joining_escapes_too() -> None:
    assert joined(["<", Html("<br>"), None]) == "&lt;<br>"
