"""Signing in: a token for a cookie. And the pages that say why there is nothing to see."""

from driftline.api.page.layout import Page, hidden, link
from driftline.api.page.markup import joined, tag


def sign_in_page(then: str, problem: str | None = None) -> Page:
    """Ask for the token; `then` is where to go afterwards."""
    form = tag(
        "form",
        hidden("then", then),
        tag("p", tag("label", "Token", for_="token"),
            tag("input", type="password", id="token", name="token", required=True,
                autocomplete="current-password", maxlength=1_000)),
        tag("p", tag("button", "Sign in", class_="strong")),
        method="post", action="/sign-in", class_="change",
    )  # fmt: skip
    said = tag("p", problem, class_="problem", role="alert") if problem else None
    what = tag("p", "The operator's or the viewer's token of this installation's API.")
    return Page("Sign in", joined([what, said, form]), status=401 if problem else 200)


def sentence_page(status: int, sentence: str) -> Page:
    """Why there is nothing to see: one sentence."""
    headings = {403: "Not allowed", 404: "Not found", 503: "Not ready"}
    heading = headings.get(status, "That did not work")
    back = tag("p", link("All models", "/"))
    return Page(heading, joined([tag("p", sentence, role="alert"), back]), status=status)
