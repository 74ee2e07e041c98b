"""HTML and SVG as text that is safe by construction: whatever is not markup is escaped.

`Html` is made by `tag` alone, so a string that somebody typed cannot become markup by being
forgotten; the type checker and the escaping both tell the two apart.
"""

from collections.abc import Iterable
from html import escape
from typing import Final, TypeAlias

EMPTY_TAGS: Final = frozenset({"meta", "link", "input", "br"})  # of SVG none: they nest


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


Content: TypeAlias = str | None  # escaped unless it is Html; None: nothing
Attribute: TypeAlias = str | int | float | bool | None


def tag(name: str, /, *content: Content, **attributes: Attribute) -> Html:
    """An element. `class_` is `class`, `aria_label` is `aria-label`; None and False: left out."""
    inner = "".join(map(escaped, content))
    opening = f"<{name}{''.join(_attribute(n, v) for n, v in attributes.items())}>"
    return Html(opening if name in EMPTY_TAGS else f"{opening}{inner}</{name}>")


def escaped(content: Content) -> str:
    """Markup as it is, text escaped."""
    if content is None:
        return ""
    return content if isinstance(content, Html) else escape(content, quote=False)


def joined(parts: Iterable[Content]) -> Html:
    """One after the other."""
    return Html("".join(map(escaped, parts)))


def _attribute(name: str, value: Attribute) -> str:
    if value is None or value is False:
        return ""
    called = name.rstrip("_").replace("_", "-")
    if value is True:
        return f" {called}"
    shown = f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
    return f' {called}="{escape(shown)}"'
