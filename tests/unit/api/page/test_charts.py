"""Do the charts draw what they are given, whatever that is?"""

import re
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.api.history import GatePoint, Scored
from driftline.api.page.charts import drift
from driftline.api.page.charts.distribution import bin_names, distribution, shares
from driftline.api.page.charts.drift import Effect
from driftline.api.page.charts.frame import Frame
from driftline.api.page.charts.gate import gate
from driftline.api.page.charts.performance import Incident, Mark, performance
from driftline.api.page.charts.scales import Span, span_of, ticks, time_ticks
from driftline.api.page.charts.sparkline import sparkline
from driftline_schemas.control import Bins
from tests.unit.api.page.test_markup import read

NUMBERS = st.floats(-1e12, 1e12) | st.sampled_from([nan, inf, -inf, 0.0])
HOUR = 3_600_000


def is_drawable(svg: str) -> bool:
    """No number in it is one that SVG does not know."""
    return not re.search(r"\b(nan|inf)\b", re.sub(r"<(text|title)[^>]*>.*?</\1>", "", svg))


def scored(place: int, value: float | None = 0.9, coverage: float = 1.0) -> Scored:
    return Scored(place * HOUR, (place + 1) * HOUR, 200, "accuracy", value, coverage, "v1", "r", 1)


@given(st.floats(-1e12, 1e12), st.floats(0, 1e12), st.integers(1, 10))
def test_ticks_are_few_and_lie_within(low: float, width: float, about: int) -> None:
    span = Span(low, low + width)
    found = ticks(span, about)
    assert len(found) <= 2 * about + 2
    slack = 1e-9 * max(abs(span.low), abs(span.high), 1)
    assert all(span.low - slack <= tick <= span.high + slack for tick in found)


def test_ticks_are_round() -> None:
    assert ticks(Span(0, 1)) == [0, 0.5, 1]
    assert ticks(Span(0.62, 0.98)) == [0.7, 0.8, 0.9]
    assert ticks(Span(-3, 42)) == [0, 20, 40]


@pytest.mark.parametrize(
    ("width", "names"),
    [
        (20_000, ["00:00:00", "00:00:05", "00:00:10", "00:00:15", "00:00:20"]),
        (8 * HOUR, ["01 Jan", "02:00", "04:00", "06:00", "08:00"]),
        (10 * 24 * HOUR, ["01 Jan", "05 Jan", "09 Jan"]),
        (0, ["00:00:00"]),
    ],
)
def test_time_ticks_are_named_by_what_changes(width: int, names: list[str]) -> None:
    assert [name for _, name in time_ticks(Span(0, width))] == names


@given(st.integers(-62_104_060_800_000, 253_402_300_799_999), st.integers(0, 10**14))
def test_any_time_that_an_event_can_have_has_ticks(start: int, width: int) -> None:
    end = min(start + width, 253_402_300_799_999)
    assert len(time_ticks(Span(start, end))) <= 12


@given(st.lists(NUMBERS))
def test_a_span_holds_its_values_and_none_is_nan(values: list[float]) -> None:
    span = span_of(values, least=0.1, margin=0.1)
    assert span.low < span.high
    assert all(span.holds(v) for v in values if v == v and abs(v) < 1e13)


@given(st.lists(st.tuples(NUMBERS, NUMBERS)))
def test_a_line_breaks_where_there_is_no_number(points: list[tuple[float, float]]) -> None:
    frame = Frame(Span(0, 1), Span(0, 1), 100)
    path = frame.path([(0.5, y) for _, y in points])
    runs = re.sub(r"1+", "1", "".join("1" if abs(y) < inf else "0" for _, y in points)).count("1")
    assert path.count("M") == runs
    assert is_drawable(path)


def test_performance_without_any_figure_is_no_chart() -> None:
    assert performance([], [], [], [], "accuracy") is None
    assert performance([scored(0, None)], [], [], [], "accuracy") is None


def test_performance_draws_figures_coverage_marks_and_incidents() -> None:
    windows = [scored(0), scored(1, None, 0.0), scored(2, 0.7, 0.5)]
    chart = performance(
        windows,
        [Mark(HOUR, "1"), Mark(2 * HOUR, "", is_lineage=False), Mark(90 * HOUR, "9")],
        [Incident(HOUR, None, "A"), Incident(-9 * HOUR, -8 * HOUR, "Z")],
        [0.85],
        "accuracy",
    )
    assert chart is not None
    kinds = [dict(attrs).get("class") for _, attrs in read(chart).tags]
    assert (kinds.count("dot"), kinds.count("dot hollow")) == (2, 1)
    assert (kinds.count("coverage"), kinds.count("incident")) == (3, 1)
    assert (kinds.count("deployed"), kinds.count("deployed minor")) == (1, 1)
    assert kinds.count("floor") == 1
    said = read(chart).text
    assert ("1" in said, "A" in said, "Z" in said) == (True, True, False)
    assert "70 %, 1970-01-01 02:00:00 to 1970-01-01 03:00:00" in said
    assert "50 % labelled" in said


@given(st.lists(st.tuples(st.floats(0, 1e9), st.floats(0, 1)), min_size=1, max_size=8))
def test_performance_of_any_numbers_can_be_drawn(given: list[tuple[float, float]]) -> None:
    windows = [scored(i, value, coverage) for i, (value, coverage) in enumerate(given)]
    for metric in ("accuracy", "mean_absolute_error"):
        chart = performance(windows, [], [], [], metric)
        assert chart is not None
        assert is_drawable(chart)


EFFECTS = [
    Effect(0, 1, 200, 0.1, False),
    Effect(1, 2, 200, nan, False),
    Effect(2, 3, 200, 0.6, True),
]


def test_drift_marks_the_windows_that_drifted() -> None:
    small, large = drift.small("x", EFFECTS, 1.0), drift.large("x", EFFECTS)
    assert small.count('class="dot bad"') == 1
    assert 'aria-label="x: effect 0.60 in the newest of 2 windows, 1 of them drifted"' in small
    assert large.count("<title>effect") == 2
    assert is_drawable(small + large)


@pytest.mark.parametrize("effects", [[], [Effect(0, 0, 0, nan, False)]])
def test_drift_without_an_effect_says_so(effects: list[Effect]) -> None:
    assert "not judged yet" in drift.small("x", effects, 1.0)
    assert is_drawable(drift.large("x", effects))


def test_all_small_charts_share_one_scale() -> None:
    assert drift.highest([EFFECTS, []]) == 0.6
    assert drift.highest([]) == drift.LEAST_SPAN


NUMERIC = Bins(kind="numeric", edges=[0.5, 2.0], reference=[1, 2, 1, 0, 0])


@pytest.mark.parametrize(
    ("bins", "names"),
    [
        (NUMERIC, ["below 0.5", "0.5 to 2", "2 or more", "missing", "invalid"]),
        (Bins(kind="numeric", edges=[], reference=[3, 0, 0]), ["any number", "missing", "invalid"]),
        (Bins(kind="boolean", reference=[1, 1, 0, 0]), ["false", "true", "missing", "invalid"]),
        (
            Bins(kind="categorical", categories=["a"], reference=[1, 0, 0, 0, 0]),
            ["a", "other", "new", "missing", "invalid"],
        ),
    ],
)
def test_every_place_of_the_counts_has_a_name(bins: Bins, names: list[str]) -> None:
    assert bin_names(bins) == names
    assert len(bin_names(bins)) == len(bins.reference)


def test_a_distribution_shows_the_reference_and_the_window_if_it_is_known() -> None:
    alone, both = (distribution("x", NUMERIC, now) for now in (None, [0, 0, 9, 1, 0]))
    assert (alone.count('class="bar"'), alone.count('class="bar now"')) == (5, 0)
    assert (both.count('class="bar"'), both.count('class="bar now"')) == (5, 5)
    assert "90 %" in both


def test_counts_by_other_bins_are_not_drawn() -> None:
    assert 'class="bar now"' not in distribution("x", NUMERIC, [1, 2])


def test_shares_of_nothing_are_zero() -> None:
    assert shares([0, 0]) == [0, 0]
    assert is_drawable(distribution("x", Bins(kind="numeric", reference=[0, 0, 0]), [0, 0, 0]))


def point(n: int, mean: float, half: float | None) -> GatePoint:
    lower, upper = (None, None) if half is None else (mean - half, mean + half)
    return GatePoint(n, 1, mean, lower, upper, "continue")


def test_a_gate_draws_its_bounds_once_there_are_any() -> None:
    assert gate("x", [], 0.03) is None
    early = gate("x", [point(25, 0.1, None)], 0.03)
    later = gate("x", [point(25, 0.1, None), point(200, 0.1, 0.2), point(225, 0.1, 0.1)], 0.03)
    assert early is not None
    assert later is not None
    assert ('class="bounds"' in early, 'class="bounds"' in later) == (False, True)
    assert "no bounds yet" in early
    assert "+0.100 on 225 pairs, between +0.000 and +0.200" in later


@given(st.lists(st.floats(-1e9, 1e9), max_size=6), st.booleans())
def test_a_sparkline_of_any_numbers_can_be_drawn(values: list[float], is_share: bool) -> None:
    assert is_drawable(sparkline("x", values, is_share=is_share))
