"""What all pages share: the frame around them, tables, folds, links."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from driftline.api.page.markup import Attribute, Content, Html, joined, tag
from driftline.api.page.static_files import address
from driftline.api.roles import Role


@dataclass(frozen=True, slots=True)
class Page:
    """The part of a page that is its own. `heading` is its title too."""

    heading: str
    body: Html
    here: str = ""  # which entry of the navigation it belongs to
    status: int = 200


@dataclass(frozen=True, slots=True)
class Reader:
    """Who looks at it: with what rights, how many alerts are open, and what seals his forms."""

    role: Role
    open_alerts: int = 0
    is_signed_in: bool = False
    seal: str = ""

    @property
    def may_decide(self) -> bool:
        """Whether promotions and rollbacks are offered."""
        return self.role >= Role.operator


def document(page: Page, reader: Reader, version: str = "") -> str:
    """The whole page. `version` names what was known when it was made; the script asks by it."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"{page.heading} · Driftline"),
        tag("link", rel="icon", type="image/svg+xml", href=address("icon.svg")),
        tag("link", rel="stylesheet", href=address("page.css")),
        tag("script", src=address("page.js"), defer=True),
    )
    body = tag(
        "body",
        tag("a", "Skip to the content", class_="skip", href="#content"),
        tag("header", _navigation(page, reader), class_="top"),
        tag("main", tag("h1", page.heading), page.body, id="content", tabindex="-1"),
        tag("footer", tag("p", "All times are UTC.", class_="quiet"), _updates(version)),
        data_version=version or None,
    )
    return f"<!doctype html>{tag('html', head, body, lang='en')}"


def _navigation(page: Page, reader: Reader) -> Html:
    if reader.role is Role.anyone:
        return tag("p", "Driftline", class_="brand")
    alerts = f"Alerts ({reader.open_alerts} open)" if reader.open_alerts else "Alerts"
    entries = [("Models", "/"), (alerts, "/alerts")]
    links = [
        tag("a", said, href=to, aria_current="page" if page.here == to else None)
        for said, to in entries
    ]
    return joined(
        [
            tag("a", "Driftline", class_="brand", href="/"),
            tag("nav", *links, aria_label="Main"),
            _sign_out(reader) if reader.is_signed_in else None,
        ]
    )


def _sign_out(reader: Reader) -> Html:
    said = f"Sign out ({reader.role.name})"
    return tag(
        "form", hidden("seal", reader.seal), tag("button", said, class_="plain"),
        method="post", action="/sign-out",
    )  # fmt: skip


def _updates(version: str) -> Html | None:
    """The script fills it in; without one it stays hidden."""
    if not version:
        return None
    return tag(
        "p",
        tag("button", "Pause updates", id="pause", type="button", class_="plain"),
        tag("span", "", id="updated", role="status"),
        class_="updates quiet",
        hidden=True,
    )


def hidden(name: str, value: str | int) -> Html:
    """A field that nobody sees."""
    return tag("input", type="hidden", name=name, value=value)


def link(said: Content, path: str, /, class_: str | None = None, **query: str) -> Html:
    """A link; whatever a model is called, its name is part of the query, never of the path."""
    return tag("a", said, href=address_of(path, **query), class_=class_)


def address_of(path: str, **query: str) -> str:
    """`/model?name=credit%2Feu`."""
    return f"{path}?{urlencode(query)}" if query else path


def section(name: str, heading: str, *content: Content, live: bool = True) -> Html:
    """A part of the page that is brought up to date as a whole."""
    return tag(
        "section", tag("h2", heading, id=f"{name}-heading"), *content,
        id=name, aria_labelledby=f"{name}-heading", data_live=live,
    )  # fmt: skip


def folded(name: str, summary: Content, *content: Content, is_open: bool = False) -> Html:
    """What is shown when it is asked for."""
    return tag("details", tag("summary", summary), *content, id=name, open=is_open)


def table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[Content]]) -> Html:
    """A table that scrolls by itself on a narrow screen; the first cell names its row."""
    head = tag("thead", tag("tr", *(tag("th", said, scope="col") for said in heads)))
    body = tag("tbody", *(_row(cells) for cells in rows))
    inner = tag("table", tag("caption", caption), head, body)
    attributes: dict[str, Attribute] = {"class_": "scroll", "tabindex": "0", "role": "region"}
    return tag("div", inner, aria_label=caption, **attributes)


def _row(cells: Sequence[Content]) -> Html:
    first, *rest = cells
    return tag("tr", tag("th", first, scope="row"), *(tag("td", cell) for cell in rest))


def facts(pairs: Iterable[tuple[str, Content]]) -> Html:
    """Names with their values; those without one are left out."""
    return tag(
        "dl",
        *(
            tag("div", tag("dt", name), tag("dd", value))
            for name, value in pairs
            if value is not None
        ),
        class_="facts",
    )


def badge(word: str, level: str) -> Html:
    """A word with a sign before it, so that colour is never the only difference."""
    signs = {"bad": "▲", "warn": "◆", "good": "●", "idle": "○"}
    return tag("span", tag("span", f"{signs[level]} ", aria_hidden="true"), word,
               class_=f"badge {level}")  # fmt: skip
