"""The demo's figures, from its journal alone: tolerances are those that the demo must meet."""

from dataclasses import dataclass
from functools import cache

import pytest

from driftline.core.monitoring.fold import JournalFold
from driftline_schemas.alerts import Alert
from driftline_schemas.verdicts import Verdict
from tests.unit.core.monitoring.journal import alerts, fold, verdicts
from tests.unit.core.monitoring.segments import FAULT, LAST, POLICY, ROTATED, Stream, journal

PHASES = [0, 1_250, 2_475, 3_300, 4_975]  # ms between a pane's start and the first row
NO_FAULT = range(0)


@dataclass(frozen=True, slots=True)
class Outcome:
    stream: Stream
    found: list[Verdict | Alert]
    revisions: list[Verdict]

    def row(self, alert: Alert) -> int:
        """The last row predicted when the alert came."""
        return self.stream.last_row_before(alert.at)

    def of(self, check: str) -> list[Alert]:
        return [alert for alert in alerts(self.found) if alert.check == check]


@cache
def run(
    phase: int, fault: range, seed: int = 0, takeovers: tuple[tuple[int, str], ...] = ()
) -> Outcome:
    stream, monitor = Stream(phase, fault, takeovers), JournalFold(POLICY, "journal", 0)
    found = fold(journal(stream, seed), monitor)
    return Outcome(stream, found, monitor.revisions())


@pytest.mark.parametrize("phase", PHASES)
def test_the_fault_makes_one_data_incident_that_names_exactly_the_rotated_features(
    phase: int,
) -> None:
    outcome = run(phase, FAULT)
    data = outcome.of("data")
    assert len({alert.alert_id for alert in data}) == 1
    assert data[0].status == "firing"
    assert data[-1].status == "resolved"
    assert len(data) <= 3
    assert all({cause.feature for cause in alert.cause} <= set(ROTATED) for alert in data)
    assert {cause.feature for cause in data[-1].cause} == set(ROTATED)


@pytest.mark.parametrize("phase", PHASES)
def test_the_first_drifted_block_ends_soon_after_the_fault_begins(phase: int) -> None:
    outcome = run(phase, FAULT)
    judged = verdicts(outcome.found, "data")
    drifted = [verdict for verdict in judged if verdict.outcome == "drifted"]
    last_row = outcome.stream.last_row_before(drifted[0].window.end)
    assert 1_771 <= last_row <= 2_260
    assert drifted[0].at == outcome.of("data")[0].at


@pytest.mark.parametrize("phase", PHASES)
def test_the_fault_makes_one_error_incident_open_while_it_lasts(phase: int) -> None:
    outcome = run(phase, FAULT)
    opened, resolved = outcome.of("error")
    assert opened.alert_id == resolved.alert_id
    assert 1_900 <= outcome.row(opened) <= 1_930
    assert 3_640 <= outcome.row(resolved) <= 3_700
    assert opened.summary.startswith("accuracy fell from 0.")


@pytest.mark.parametrize(
    ("phase", "up", "back"),
    [(0, 2_217, 3_892), (1_250, 2_205, 4_080), (2_475, 2_217, 3_864), (3_300, 2_270, 3_892)],
)
def test_a_challenger_that_takes_over_and_the_champions_return_make_two_data_incidents(
    phase: int, up: int, back: int
) -> None:
    outcome = run(phase, FAULT, takeovers=((693, "champion"), (up, "sm"), (back, "champion")))
    data = outcome.of("data")
    first = [alert for alert in data if alert.alert_id == data[0].alert_id]
    second = [alert for alert in data if alert.alert_id == data[-1].alert_id]
    assert first + second == data
    for incident in (first, second):
        assert (incident[0].status, incident[-1].status) == ("firing", "resolved")
        assert {cause.feature for cause in incident[-1].cause} == set(ROTATED)
    assert outcome.row(first[-1]) < FAULT.stop  # the challenger learned from what is faulty
    assert "the reference of sm" in first[-1].summary
    assert outcome.row(second[0]) > FAULT.stop
    assert "differs from the reference over" in second[-1].summary
    assert outcome.row(second[-1]) < LAST


@pytest.mark.parametrize("phase", PHASES)
def test_nothing_is_alarmed_without_a_fault(phase: int) -> None:
    outcome = run(phase, NO_FAULT)
    assert alerts(outcome.found) == []
    assert {verdict.outcome for verdict in verdicts(outcome.found, "data")} == {"ok"}


def test_the_month_says_what_the_frozen_champion_was_worth() -> None:
    outcome = run(0, FAULT)
    (month,) = [verdict for verdict in outcome.revisions if verdict.target == "month"]
    (result,) = month.results
    assert result.value is not None
    assert 0.59 <= result.value <= 0.62
    assert month.coverage == 1
    assert month.window.n == 4_007


def test_a_fault_at_another_time_moves_everything_with_it() -> None:
    fault = range(2_696, 2_696 + len(FAULT))
    outcome = run(0, fault, seed=7)
    data, (opened, resolved) = outcome.of("data"), outcome.of("error")
    assert {cause.feature for cause in data[-1].cause} == set(ROTATED)
    assert fault.start < outcome.row(opened) < fault.start + 200
    assert resolved.status == "resolved"
