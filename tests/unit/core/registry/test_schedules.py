"""Is each run of a schedule asked for once, and what becomes of those that were missed?"""

from typing import Any

import pytest

from driftline.core.registry import schedules
from driftline.core.registry.schedules import newest_run
from driftline_schemas.fields import format_time, parse_time
from tests.unit.core.registry.book import Book, spec

HOUR = 3_600_000
NOON = parse_time("2026-11-25T12:00:00.000Z")


def scheduled(**schedule: Any) -> Book:
    book = Book(now=NOON)
    schedule = {"cron": "0 * * * *", "pipeline": "lr", **schedule}
    book.accepted("apply_spec", spec(schedules=[schedule]))
    return book


def test_a_run_is_asked_for_once_when_it_comes() -> None:
    book = scheduled()
    assert book.run_schedules() == []  # the run of this very moment was before the spec
    book.now = NOON + HOUR - 1
    assert book.run_schedules() == []
    book.now += 1
    (fact,) = book.run_schedules()
    assert (fact.action, fact.actor, fact.reason) == ("schedule", "registry", "0 * * * *")
    assert (fact.body["due"], fact.body["pipeline"]) == (format_time(NOON + HOUR), "lr")
    assert book.run_schedules() == []


def test_of_missed_runs_the_newest_alone_is_asked_for() -> None:
    book = scheduled(catch_up="once")
    book.now = NOON + 5 * HOUR + 600_000
    (fact,) = book.run_schedules()
    assert fact.body["due"] == format_time(NOON + 5 * HOUR)


def test_with_skip_a_missed_run_is_not_asked_for_and_the_next_one_is() -> None:
    book = scheduled(catch_up="skip")
    book.now = NOON + 5 * HOUR + 60_001
    assert book.run_schedules() == []
    book.now = NOON + 6 * HOUR + 1_000
    (fact,) = book.run_schedules()
    assert fact.body["due"] == format_time(NOON + 6 * HOUR)


@pytest.mark.parametrize("catch_up", ["once", "skip"])
def test_a_look_at_what_is_not_due_computes_nothing(
    catch_up: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = scheduled(catch_up=catch_up)
    book.now = NOON + 5 * HOUR + 120_000  # with `skip` these runs are missed
    book.run_schedules()
    book.run_schedules()

    def never(cron: str, now: int) -> int:
        raise AssertionError(f"{cron} is computed again at {now}")

    with monkeypatch.context() as patch:
        patch.setattr(schedules, "next_run", never)
        patch.setattr(schedules, "newest_run", never)
        for _ in range(3):
            book.now += 1_000
            assert book.run_schedules() == []
    book.now = NOON + 6 * HOUR
    assert len(book.run_schedules()) == 1


def test_a_run_whose_fact_was_not_written_is_asked_for_again() -> None:
    book = scheduled()
    book.now = NOON + HOUR
    (draft,) = book.timetable.due(book.state, book.now)
    assert book.timetable.due(book.state, book.now + 1_000) == [draft]


def test_another_spec_keeps_what_is_settled_of_a_schedule_that_stays() -> None:
    book = scheduled()
    book.now = NOON + HOUR
    book.run_schedules()
    kept = [{"cron": "0 * * * *", "pipeline": "lr"}, {"cron": "30 * * * *", "pipeline": "sm"}]
    book.accepted("apply_spec", spec(schedules=kept))
    assert book.run_schedules() == []
    book.now = NOON + HOUR + HOUR // 2
    assert [fact.body["pipeline"] for fact in book.run_schedules()] == ["sm"]


@pytest.mark.parametrize(
    ("now", "run"),
    [
        ("2026-11-25T12:00:00.000Z", "2026-11-25T12:00:00.000Z"),
        ("2026-11-25T12:00:59.999Z", "2026-11-25T12:00:00.000Z"),
        ("2026-11-25T11:59:59.999Z", "2026-11-25T11:00:00.000Z"),
    ],
)
def test_the_newest_run_is_the_last_one_that_has_come(now: str, run: str) -> None:
    assert newest_run("0 * * * *", parse_time(now)) == parse_time(run)
