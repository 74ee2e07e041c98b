"""The section that says how near each challenger is to taking over."""

from collections.abc import Sequence
from typing import Final

from driftline.api.folds import Folds
from driftline.api.history import GatePoint
from driftline.api.page import words
from driftline.api.page.charts.gate import gate as drawn
from driftline.api.page.layout import badge, folded, section, table
from driftline.api.page.markup import Html, tag
from driftline.core.gates.saying import VERDICTS, standing_said
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
    serving = known.deployed.body.lineage if known and known.deployed else None
    cards = [
        _challenger(name, list(gates[name]), wanted, f"gate-{place}")
        for place, name in enumerate(names)
        if name != serving
    ]
    if serving is not None and serving in gates:
        cards.append(_served(serving, list(gates[serving]), wanted))
    return section("challengers", "Challengers", tag("p", said, class_="quiet"), *cards)


def _challenger(name: str, points: Sequence[GatePoint], wanted: GateSpec, fold: str) -> Html:
    last = points[-1]
    return tag(
        "article",
        tag("h3", name, " ", badge(VERDICTS[last.verdict], LEVELS[last.verdict])),
        tag("p", standing_said(last, wanted)),
        _progress(name, last, wanted) if last.verdict == "no_data" else None,
        *_evidence(name, points, wanted, fold),
    )


def _served(name: str, points: Sequence[GatePoint], wanted: GateSpec) -> Html:
    """Of what is no challenger now, the evidence from before."""
    last = points[-1]
    said = f"As a challenger it was {VERDICTS[last.verdict]}. {standing_said(last, wanted)}"
    evidence = _evidence(name, points, wanted, "gate-table-serving")
    return tag(
        "article",
        tag("h3", name, " ", badge("serves", "good")),
        folded("gate-serving", "Its evidence from before it served", tag("p", said), *evidence),
    )


def _evidence(
    name: str, points: Sequence[GatePoint], wanted: GateSpec, fold: str
) -> tuple[Html | None, Html]:
    """The chart of its newest test, and all as a table."""
    of_test = [point for point in points if point.test == points[-1].test]
    rows = [_row(point) for point in list(reversed(points))[:LAST]]
    numbers = table(f"Gate of {name}, newest first", HEADS, rows)
    return drawn(name, of_test, wanted.least_gain), folded(fold, "As a table", numbers)


def _progress(name: str, point: GatePoint, wanted: GateSpec) -> Html:
    return tag("progress", value=min(point.n, wanted.min_pairs), max=wanted.min_pairs,
               aria_label=f"Pairs of {name}")  # fmt: skip


def _row(point: GatePoint) -> tuple[str, ...]:
    return (
        f"{point.n:,} (test {point.test})",
        words.gain(point.mean),
        words.gain(point.lower),
        words.gain(point.upper),
        VERDICTS[point.verdict],
    )
