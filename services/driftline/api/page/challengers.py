"""The section that says how near each challenger is to taking over."""

from collections.abc import Sequence
from typing import Final

from driftline.api.folds import Folds
from driftline.api.history import GatePoint
from driftline.api.page import words
from driftline.api.page.charts.gate import gate as drawn
from driftline.api.page.layout import badge, folded, section, table
from driftline.api.page.markup import Html, tag
from driftline_schemas.spec import GateSpec

HEADS: Final = ("Pairs", "Gain", "At least", "At most", "Verdict")
LEVELS: Final = {"promote": "good", "reject": "idle", "continue": "warn", "no_data": "idle"}
LAST: Final = 40  # rows of the table


def challengers(folds: Folds, model: str) -> Html | None:
    """None where nothing is compared."""
    gates = folds.history.of(model).gates
    if not gates:
        return None
    known = folds.registry.models.get(model)
    wanted = known.spec.body.spec.gate if known and known.spec else GateSpec()
    newest = {name: points[-1] for name, points in gates.items()}
    names = sorted(gates, key=lambda name: (-newest[name].mean, name))
    said = (
        "The gain is the error of what serves less that of the challenger, on the same predictions."
        f" One takes over when the whole band lies above 0, the gain is at least"
        f" {words.number(wanted.least_gain)} (dashed), and it rests on {wanted.min_pairs:,} pairs."
    )
    cards = [
        _challenger(place, name, list(gates[name]), wanted) for place, name in enumerate(names)
    ]
    return section("challengers", "Challengers", tag("p", said, class_="quiet"), *cards)


def _challenger(place: int, name: str, points: Sequence[GatePoint], wanted: GateSpec) -> Html:
    last = points[-1]
    of_test = [point for point in points if point.test == last.test]
    rows = [_row(point) for point in list(reversed(points))[:LAST]]
    return tag(
        "article",
        tag("h3", name, " ", badge(words.GATES[last.verdict], LEVELS[last.verdict])),
        tag("p", progress_said(last, wanted)),
        _progress(name, last, wanted) if last.verdict == "no_data" else None,
        drawn(name, of_test, wanted.least_gain),
        folded(f"gate-{place}", "As a table", table(f"Gate of {name}, newest first", HEADS, rows)),
    )


def progress_said(point: GatePoint, wanted: GateSpec) -> str:
    """What it has shown, and what is missing."""
    if point.lower is None or point.upper is None:
        return f"{point.n:,} of {wanted.min_pairs:,} pairs so far, gain {words.gain(point.mean)}."
    shown = (
        f"Gain {words.gain(point.mean)}, between {words.gain(point.lower)} and"
        f" {words.gain(point.upper)}, on {point.n:,} pairs (test {point.test})."
    )
    missing = []
    if point.mean < wanted.least_gain:
        missing.append(f"the gain is below {words.number(wanted.least_gain)}")
    if point.lower <= 0:
        missing.append("it may still be no gain at all")
    return f"{shown} {words.capital(' and '.join(missing))}" if missing else shown


def _progress(name: str, point: GatePoint, wanted: GateSpec) -> Html:
    return tag("progress", value=min(point.n, wanted.min_pairs), max=wanted.min_pairs,
               aria_label=f"Pairs of {name}")  # fmt: skip


def _row(point: GatePoint) -> tuple[str, ...]:
    return (
        f"{point.n:,} (test {point.test})",
        words.gain(point.mean),
        words.gain(point.lower),
        words.gain(point.upper),
        words.GATES[point.verdict],
    )
