"""Counts of a segment: each first prediction once, in its pane, cumulatively."""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from driftline.core.drift.bins import BooleanBins, CategoricalBins, FeatureBins, NumericBins
from driftline.core.joining import counting
from driftline.core.joining.counting import ModelBins, PaneKey, Seen, SegmentCounts, Tally
from driftline.core.joining.envelope import PredictionEvent

FEATURES: dict[str, FeatureBins] = {
    "x": NumericBins((0.0, 1.0)),
    "c": CategoricalBins(("a", "b")),
    "b": BooleanBins(),
}
BINS = ModelBins("0123456789abcdef", 100, dict(FEATURES), CategoricalBins(("yes", "no")))
HORIZON = 10_000


def event(at: int, features: dict[str, Any] | None = None, **more: Any) -> PredictionEvent:
    defaults = {"prediction": "yes", "nonfinite": [], "producer": "app"}
    return PredictionEvent("id", "m", "v1", at, features or {}, **{**defaults, **more})


@dataclass(slots=True)
class Sent:
    """What was sent: (key, segment, n, skewed)."""

    lines: list[tuple[PaneKey, int, int, int]] = field(default_factory=list)
    skewed: list[str] = field(default_factory=list)
    vectors: dict[PaneKey, dict[str, list[int]]] = field(default_factory=dict)

    def send(self, key: PaneKey, segment: int, tally: Tally) -> None:
        self.lines.append((key, segment, tally.n, tally.skewed))
        self.vectors[key] = {name: vector.tolist() for name, vector in tally.counts.items()}

    def counts(self) -> SegmentCounts:
        return SegmentCounts(
            pane_ms=1_000, horizon_ms=HORIZON, send=self.send, skewed_by=self.skewed.append,
            bins_of=lambda _model, time: BINS if time >= BINS.effective_from else None,
        )  # fmt: skip


def test_only_what_changed_is_sent_and_cumulatively() -> None:
    sent = Sent()
    counts = sent.counts()
    counts.add([Seen(0, 500, event(500)), Seen(1, 1_500, event(1_500))])
    counts.flush()
    counts.add([Seen(2, 1_600, event(1_600))])
    counts.flush()
    counts.flush()
    assert [(key.pane, n) for key, _, n, _ in sent.lines] == [(0, 1), (1_000, 1), (1_000, 2)]


def test_a_segments_last_counts_go_out_before_anything_of_the_next() -> None:
    sent = Sent()
    counts = sent.counts()
    counts.add([Seen(o, 500, event(500)) for o in (998, 999, 1_000, 3_001)])
    counts.flush()
    assert [(segment, n) for _, segment, n, _ in sent.lines] == [(0, 2), (1, 1), (3, 1)]


def test_bins_count_from_the_append_time_on_that_they_are_effective() -> None:
    sent = Sent()
    counts = sent.counts()
    counts.add([Seen(0, 99, event(99)), Seen(1, 100, event(99))])
    counts.flush()
    assert [key.bins_id for key, *_ in sent.lines] == [None, BINS.bins_id]


def test_a_clock_that_is_off_is_flagged_and_only_one_from_the_future_loses_its_pane() -> None:
    sent, time = Sent(), 1_000_000
    counts = sent.counts()
    times = [time + 300_000, time + 300_001, time - HORIZON, time - HORIZON - 1]
    counts.add([Seen(o, time, event(at)) for o, at in enumerate(times)])
    counts.flush()
    assert {(key.pane, n, skewed) for key, _, n, skewed in sent.lines} == {
        (1_300_000, 1, 0), (1_000_000, 1, 1), (990_000, 1, 0), (989_000, 1, 1),
    }  # fmt: skip
    assert sent.skewed == ["app", "app"]


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**65), 2**65), st.sampled_from(["a", "b", "z"]),
    st.floats(allow_nan=False, allow_infinity=False), st.just([1]),
)  # fmt: skip
ROWS = st.lists(
    st.tuples(st.dictionaries(st.sampled_from("xcb"), VALUES), st.lists(st.sampled_from("xcb"))),
    max_size=60,
)


@given(rows=ROWS, cuts=st.sets(st.integers(0, 60)), restart=st.integers(0, 60))
def test_batches_and_restarts_do_not_change_the_counts(
    rows: list[tuple[dict[str, Any], list[str]]], cuts: set[int], restart: int
) -> None:
    seen = [Seen(o, 500, event(500, f, nonfinite=odd)) for o, (f, odd) in enumerate(rows)]
    expected = {name: [0] * bins.size for name, bins in FEATURES.items()}
    for features, odd in rows:
        for name, bins in FEATURES.items():
            place = bins.size - 1 if name in odd else bins.index(features.get(name))
            expected[name][place] += 1
    sent = Sent()
    counts = sent.counts()
    edges = [0, *sorted(cut for cut in cuts if cut < len(seen)), len(seen)]
    for start, end in pairwise(edges):
        counts.add(seen[start:end])
        if start <= restart < end:
            kept = orjson.loads(orjson.dumps(counting.dump(counts)))
            counts = sent.counts()
            counting.load(counts, kept)
    counts.flush()
    if rows:
        assert list(sent.vectors.values()) == [expected]
        assert sent.lines[-1][2] == len(rows)
