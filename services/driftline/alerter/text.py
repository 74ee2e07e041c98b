"""Names and values of events are strangers' text: make them harmless before people see them."""

import unicodedata
from typing import Final

from driftline.core.delivery.outbox import CLOSINGS
from driftline_schemas.alerts import Alert

SLACK_ESCAPES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
ZERO_WIDTH_SPACE: Final = "\N{ZERO WIDTH SPACE}"
TEST: Final = "test"  # the reason of an alert that only tries a channel out
CHECKS: Final = {
    "data": "data drift",
    "error": "rising errors",
    "floor": "metric below its floor",
    "no_predictions": "no predictions",
    "no_labels": "no labels",
}

COUNTED: Final = {"error": "Labels", "floor": "Labels"}  # what `n` is, if not predictions


def plain(text: str, limit: int) -> str:
    """One line of at most `limit` characters, without control and direction characters."""
    visible = "".join(map(_visible, text[: limit * 4]))
    line = " ".join(visible.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _visible(character: str) -> str:
    category = unicodedata.category(character)
    if category in ("Cf", "Cs"):  # direction marks, zero width, halves of pairs
        return ""
    return " " if category in ("Cc", "Zl", "Zp") else character


def for_slack(text: str, limit: int) -> str:
    """`text` escaped as Slack wants it everywhere, at most `limit` characters *after* escaping.

    Without angle brackets nothing is a mention or a named link. A zero-width space after `@` and
    within `://` keeps clients from finding bare ones.
    """
    pieces: list[str] = []
    room = limit
    for character in plain(text, limit).replace("://", f":{ZERO_WIDTH_SPACE}//"):
        piece = SLACK_ESCAPES.get(character, character)
        piece += ZERO_WIDTH_SPACE if character == "@" else ""
        room -= len(piece)
        pieces.append(piece)
    if room >= 0:
        return "".join(pieces)
    while room < 1:
        room += len(pieces.pop())
    return "".join(pieces) + "…"


def is_test(alert: Alert) -> bool:
    """Whether it only tries a channel out."""
    return alert.reason == TEST


def title(alert: Alert) -> str:
    """What happened to which model, in a few words."""
    if is_test(alert):
        over = ", and the test is over" if alert.status in CLOSINGS else ""
        return f"TEST: Driftline can reach you{over}"
    scope = "" if alert.scope == "model" else f" ({alert.scope})"
    return f"{alert.status.upper()}: {CHECKS[alert.check]}{scope} on {alert.model}"


def version(alert: Alert) -> str:
    """What served when it opened: `frozen (8c09ca19986af4fd)`, or what its app calls it."""
    known = alert.model_version
    return f"{alert.lineage} ({known})" if alert.lineage else known


def number(value: float) -> str:
    """Four digits are enough for people."""
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
