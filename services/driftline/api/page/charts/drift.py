"""How far was a feature from the reference over time? A small chart for each, and a large one."""

from collections.abc import Sequence
from math import isfinite
from typing import Final, NamedTuple

from driftline.api.page import words
from driftline.api.page.charts.frame import NAME_HEIGHT, Frame, chart
from driftline.api.page.charts.scales import Span, ticks, time_ticks
from driftline.api.page.markup import Html

SMALL, LARGE = 44.0, 180.0
LEAST_SPAN: Final = 0.2  # effects below look as small as they are


class Effect(NamedTuple):
    """The effect of a scope in a window (ms); NaN: it was not judged."""

    start: int
    end: int
    n: int
    value: float
    drifted: bool

    @property
    def middle(self) -> float:
        """Where it is drawn."""
        return (self.start + self.end) / 2


def highest(series: Sequence[Sequence[Effect]]) -> float:
    """The end of the axis that all of them share."""
    values = (each.value for effects in series for each in effects if isfinite(each.value))
    return max(LEAST_SPAN, *values, LEAST_SPAN)


def small(name: str, effects: Sequence[Effect], top: float) -> Html:
    """A sparkline of effects between 0 and `top`; windows that drifted carry a dot."""
    frame = Frame(_time(effects), Span(0, top), SMALL - 6, 3)
    drawn = [frame.level(0, "grid"), _line(frame, effects), *_dots(frame, effects, said=False)]
    return chart(_title(name, effects), SMALL, drawn, ())


def large(name: str, effects: Sequence[Effect]) -> Html:
    """The same with axes."""
    frame = Frame(_time(effects), Span(0, highest([effects]) * 1.08), LARGE, 8)
    drawn = [
        *(frame.level(y, "grid") for y in ticks(frame.y)),
        _line(frame, effects),
        *_dots(frame, effects, said=True),
    ]
    texts = [
        frame.names_down((y, words.number(y)) for y in ticks(frame.y)),
        frame.names_across(time_ticks(frame.x)),
    ]
    return chart(_title(name, effects), frame.bottom + NAME_HEIGHT, drawn, texts)


def _line(frame: Frame, effects: Sequence[Effect]) -> Html:
    return frame.line([(each.middle, each.value) for each in effects], "line thin")


def _dots(frame: Frame, effects: Sequence[Effect], *, said: bool) -> list[Html]:
    return [
        frame.dot(each.middle, each.value, "dot bad" if each.drifted else "dot small",
                  _said(each) if said else None)
        for each in effects
        if isfinite(each.value) and (each.drifted or said or len(effects) == 1)
    ]  # fmt: skip


def _time(effects: Sequence[Effect]) -> Span:
    if not effects:
        return Span(0, 1)
    return Span(min(each.start for each in effects), max(each.end for each in effects))


def _said(each: Effect) -> str:
    verdict = "drifted" if each.drifted else "no drift"
    return (
        f"effect {each.value:.2f}, {verdict}, {words.short_time(each.start)} to"
        f" {words.short_time(each.end)}, {each.n:,} predictions"
    )


def _title(name: str, effects: Sequence[Effect]) -> str:
    judged = [each for each in effects if isfinite(each.value)]
    if not judged:
        return f"{name}: not judged yet"
    drifted = sum(each.drifted for each in judged)
    return (
        f"{name}: effect {judged[-1].value:.2f} in the newest of {len(judged)} windows,"
        f" {drifted} of them drifted"
    )
