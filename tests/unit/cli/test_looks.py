"""What do two looks at a group say, and which incidents are still open?"""

from typing import Any

import pytest

from driftline.cli.overview import still_open
from driftline.cli.rebuild_estimate import Estimate, stretches_of
from driftline.cli.role_progress import by_topic, is_needed, progress
from driftline.cli.status_screen import size
from driftline.runtime.group_looks import RoleLook
from driftline.runtime.ports import TP
from driftline_schemas.alerts import Alert

ONE, TWO = TP("driftline.journal.v1", 0), TP("driftline.journal.v1", 1)


def look(at: float, ends: tuple[int, int], committed: dict[TP, int], role: str = "monitor",
         begin: int = 10) -> RoleLook:  # fmt: skip
    begins = {ONE: begin, TWO: begin}
    return RoleLook(role, at, [], begins, {ONE: ends[0], TWO: ends[1]}, committed)


def test_rates_are_what_came_and_what_was_committed_between_the_looks() -> None:
    found = progress(look(0.0, (100, 50), {ONE: 90}), look(2.0, (120, 50), {ONE: 110, TWO: 14}))
    assert (found.coming, found.done) == (10.0, 12.0)  # the first commit counts from the beginning
    assert (found.now.total_lag, found.lag_grew, found.stood_still) == (46, -4, 0)
    assert by_topic(found.now) == {"driftline.journal.v1": 46}


def test_without_a_commit_all_that_is_there_waits() -> None:
    assert look(0.0, (100, 50), {}).total_lag == 130


@pytest.mark.parametrize(
    ("role", "has_run", "learns", "needed"),
    [
        ("joiner", False, False, True),
        ("monitor", False, False, True),
        ("learner", True, False, False),
        ("learner", False, True, True),
        ("alerter", False, False, False),
        ("alerter", True, False, True),
        ("registry", False, False, False),
    ],
)
def test_which_roles_are_missed(role: str, has_run: bool, learns: bool, needed: bool) -> None:
    seen = look(0.0, (100, 50), {ONE: 1} if has_run else {}, role)
    assert is_needed(seen, somebody_learns=learns) is needed


def test_a_rebuild_reads_from_the_beginning_or_a_checkpoint_to_the_last_commit() -> None:
    seen = look(0.0, (100, 50), {ONE: 90, TWO: 10})
    assert stretches_of(seen) == {ONE: (10, 90)}
    assert stretches_of(seen, {0: 60}) == {ONE: (60, 90)}
    assert stretches_of(seen, {0: 5}) == {ONE: (10, 90)}


def test_an_estimate_is_reading_and_working() -> None:
    assert Estimate("joiner", 1_000_000, 0, 100_000.0, 30.0).seconds == pytest.approx(40.0)
    assert Estimate("joiner", 100, 0, 0.0, 30.0).seconds == pytest.approx(0.003)


def test_an_incident_is_open_until_its_newest_revision_says_otherwise() -> None:
    def alert(name: str, revision: int, status: str, opened: int) -> Alert:
        fields: dict[str, Any] = {
            "alert_id": name * 16, "fingerprint": "f" * 16, "status": status,
            "revision": revision, "at": 5, "severity": "error", "model": "churn",
            "model_version": "1", "check": "error", "scope": "model", "opened_at": opened,
            "opened_by": ("driftline.journal.v1", 0, 1), "n": 1, "summary": "s", "replay": "r",
        }  # fmt: skip
        return Alert(**fields)

    told = [
        alert("a", 1, "firing", 9),
        alert("b", 1, "firing", 3),
        alert("c", 1, "firing", 1),
        alert("a", 2, "worse", 9),
        alert("c", 2, "resolved", 1),
        alert("a", 1, "firing", 9),
    ]
    assert [(each.alert_id[0], each.status) for each in still_open(told)] == [
        ("b", "firing"),
        ("a", "worse"),
    ]


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 B"), (999, "999 B"), (1_500, "1.5 kB"), (2.5e9, "2.5 GB"), (3e12, "3.0 TB")],
)
def test_sizes(number: float, text: str) -> None:
    assert size(number) == text
