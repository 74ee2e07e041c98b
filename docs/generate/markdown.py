"""Pieces of a page in GitHub's Markdown."""

import re
from collections.abc import Iterable, Sequence
from inspect import cleandoc
from typing import Final

NOTE: Final = "<!-- Made from the code by `make reference`: change it there, not here. -->"


def document(title: str, *parts: str) -> str:
    """A whole page: its title, then paragraphs, tables and sections."""
    return "\n\n".join([f"# {title}", NOTE, *filter(None, parts)]) + "\n"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; cells may hold any Markdown that fits on a line."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")


def code(text: str) -> str:
    """As it is typed."""
    return f"`{text}`"


def prose(doc: str | None) -> str:
    """A docstring as paragraphs: lines of one paragraph are joined."""
    paragraphs = re.split(r"\n\s*\n", cleandoc(doc or ""))
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def anchor(heading: str) -> str:
    """GitHub's link to a heading of the same page."""
    kept = re.sub(r"[^\w\- ]", "", heading.lower())
    return f"#{kept.replace(' ', '-')}"


def link(text: str, target: str) -> str:
    """A link."""
    return f"[{text}]({target})"
