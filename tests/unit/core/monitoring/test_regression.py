"""Numbers: errors in units of the first ones, told as a mean absolute error."""

import math
from collections.abc import Iterator
from itertools import cycle

import orjson
import pytest

from driftline.core.drift.error_incident import Opened
from driftline.core.monitoring import sentences
from driftline.core.monitoring.error_reading import Reading
from driftline.core.monitoring.fold import JournalFold
from driftline_schemas.alerts import Alert
from driftline_schemas.verdicts import Verdict
from tests.unit.core.monitoring.journal import (
    POLICY,
    START,
    TOPIC,
    Entry,
    Journal,
    alerts,
    fold,
    new_fold,
)

SMALL = [0.1 * i for i in range(1, 21)]  # 95 % of them are at most 1.9
LARGE = [1.5, 1.7, 1.9, 4.0]


class Numbers:
    """A regression model's journal: one label every 100 ms, a second after its prediction."""

    def __init__(self) -> None:
        self.journal = Journal()
        self.journal.spec(task="regression")
        self.labels = 0

    def errors(self, n: int, distances: list[float], **changes: object) -> "Numbers":
        drawn: Iterator[float] = cycle(distances)
        for _ in range(n):
            self.labels += 1
            time = START + self.labels * 100
            about = {"prediction": 50.0, "label": 50.0 + next(drawn), **changes}
            self.journal.joined(time, self.labels, **about)
        return self

    def found(self) -> list[Alert]:
        return alerts(fold(self.journal.entries, new_fold()))


def test_an_error_incident_opens_and_resolves_in_the_unit_of_the_label() -> None:
    firing, resolved = Numbers().errors(600, SMALL).errors(200, LARGE).errors(600, SMALL).found()
    assert (firing.check, firing.severity, firing.status) == ("error", "critical", "firing")
    assert firing.value is not None
    assert firing.threshold is not None
    assert firing.effect is not None
    assert 1.045 < firing.threshold - 0.05 * 1.9 < firing.threshold < firing.value <= 1.9
    assert firing.effect == pytest.approx((firing.value - 1.05) / 1.9, abs=0.02)
    assert firing.summary.startswith("mean absolute error rose from 1.0")
    assert firing.summary.endswith("labels, each error counted up to 1.9")
    assert (resolved.alert_id, resolved.status) == (firing.alert_id, "resolved")
    assert resolved.summary.startswith("mean absolute error is back at 1.")
    assert resolved.summary.endswith(
        " before the incident, plus a margin of 0.095), each error counted up to 1.9"
    )


def test_a_slow_rise_is_told_against_the_labels_before_it_and_not_the_last_thousand() -> None:
    slow = Numbers().errors(200, [1.9]).errors(1_500, [0.2, 0.6]).errors(1_000, [0.25, 0.7])
    firing, *_ = slow.found()
    assert firing.n > 1_000
    assert firing.value is not None
    assert firing.threshold is not None
    assert firing.value < firing.threshold - 0.05 * 1.9
    assert firing.effect == pytest.approx((firing.value - 0.405) / 1.9, abs=0.001)
    assert firing.summary.startswith("mean absolute error rose from 0.405 to 0.425 over the last")


def test_a_rise_that_the_digits_do_not_show_is_told_without_them() -> None:
    slight = Opened(value=0.8301, before=0.8339, reference=0.83, n=5_000)
    said = sentences.error_rose(slight, Reading(), "a")
    assert said == "errors became more frequent: accuracy 0.83 over the last 5000 labels; a served"


def test_the_first_200_labels_fix_the_scale_and_are_not_scored() -> None:
    numbers = Numbers().errors(100, [0.1]).errors(99, [5.0])
    monitor = new_fold()
    fold(numbers.journal.entries, monitor)
    assert monitor.models["m"].error.snapshot()["incident"]["before"] == ""
    numbers.errors(1, [5.0])
    fold(numbers.journal.entries[-1:], monitor)
    assert monitor.models["m"].error.snapshot()["incident"]["before"] == "1"


def test_classes_among_the_numbers_are_counted_and_do_not_shift_the_scale() -> None:
    numbers = Numbers().errors(150, SMALL).errors(80, SMALL, prediction="a").errors(450, SMALL)
    numbers.errors(200, LARGE)
    monitor = new_fold()
    (firing,) = alerts(fold(numbers.journal.entries, monitor))
    assert firing.summary.endswith("counted up to 1.9")
    assert monitor.conflicts == 80


def test_another_spec_begins_with_a_scale_of_its_own() -> None:
    numbers = Numbers().errors(600, SMALL)
    numbers.journal.spec(START + 60_000, seq=2, spec_hash="c" * 16, task="regression")
    larger = [100 * error for error in SMALL]
    (firing,) = numbers.errors(600, larger).errors(200, [100 * e for e in LARGE]).found()
    assert firing.summary.startswith("mean absolute error rose from 103 to 124 over")
    assert firing.summary.endswith("each error counted up to 190")


def test_after_200_exact_predictions_any_miss_is_an_error() -> None:
    (firing,) = Numbers().errors(500, [0.0]).errors(200, [0.0, 0.3]).found()
    assert firing.value is not None
    assert 0.5 < firing.value < 0.9
    assert firing.summary.startswith("the share of exact predictions fell from 1.00 to 0.80")


@pytest.mark.parametrize("huge", [1e308, -1e308, 2**63], ids=str)
def test_huge_numbers_give_finite_figures(huge: float) -> None:
    numbers = Numbers().errors(250, [huge], prediction=-1.7e308)
    numbers.errors(300, SMALL).errors(300, [huge], prediction=-1.7e308)
    monitor = new_fold()
    found = [*fold(numbers.journal.entries, monitor), *monitor.revisions()]
    assert found
    for event in found:
        assert _finite(orjson.loads(event.model_dump_json()))
        figures = [event.value] if isinstance(event, Alert) else [r.value for r in event.results]
        assert None not in figures
    assert _restarted(numbers.journal.entries) == _plain(numbers.journal.entries)


def test_a_corrected_slip_of_a_label_leaves_nothing_behind() -> None:
    numbers = Numbers().errors(3, [1.0])
    slip = numbers.errors(1, [1e18]).journal.entries[-1]
    about = {"prediction": 50.0, "previous_label": 1e18, "label": 51.0}
    numbers.journal.correction(slip.time + 1, 99, numbers.labels, **about)
    monitor = new_fold()
    fold(numbers.journal.entries, monitor)
    (month,) = [v for v in monitor.revisions() if v.target == "month"]
    assert month.results[0].value == 1.0


def test_a_block_says_its_mean_absolute_error_with_n_and_coverage() -> None:
    numbers = Numbers()
    numbers.journal.bins()
    numbers.journal.counts(START, 200, [50, 50, 50, 50, 0, 0])
    numbers.journal.mark(START + 20_000)
    numbers.errors(40, [1.0, 2.0], predicted_at=START)
    monitor = new_fold()
    fold(numbers.journal.entries, monitor)
    (block,) = [v for v in monitor.revisions() if v.target == 200]
    (result,) = block.results
    assert (result.scope, result.value) == ("mean_absolute_error", 1.5)
    assert (block.window.n, block.coverage) == (200, 0.2)


def _finite(value: object) -> bool:
    if isinstance(value, dict):
        return all(map(_finite, value.values()))
    if isinstance(value, list):
        return all(map(_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


def _plain(entries: list[Entry]) -> list[Verdict | Alert]:
    return fold(entries, new_fold())


def _restarted(entries: list[Entry]) -> list[Verdict | Alert]:
    monitor, found = new_fold(), list[Verdict | Alert]()
    for i, entry in enumerate(entries):
        if i % 97 == 0:
            state = orjson.loads(orjson.dumps(monitor.snapshot()))
            monitor = JournalFold.restore(POLICY, TOPIC, 3, state)
        found += fold([entry], monitor)
    return found
