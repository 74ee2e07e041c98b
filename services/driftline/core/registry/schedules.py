"""Which runs of the schedules are due? Pure; times are UTC, so no hour is missing or twice."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from croniter import croniter  # type: ignore[import-untyped]  # it ships no types
from croniter.croniter import CroniterError  # type: ignore[import-untyped]

from driftline.core.fact_chain import Draft
from driftline.core.registry.models import Planned
from driftline.core.registry.state import RegistryState
from driftline_schemas.codec import short_hash
from driftline_schemas.fields import LATEST, format_time

ACTOR: Final = "registry"
MISSED_MS: Final = 60_000  # a run this late was missed: the owner looks every second
CHANCE: Final = re.compile(r"^[rh]", re.IGNORECASE)  # croniter's `R` and `H` draw a time by lot


def cron_fault(cron: str) -> str | None:
    """What is wrong with an expression; None if it can be scheduled."""
    fields = cron.split()
    if len(fields) != 5:
        return f"cron {cron!r}: write five fields (minute, hour, day, month, weekday; UTC)"
    if any(CHANCE.match(field) for field in fields) or not croniter.is_valid(cron):
        return f"cron {cron!r} is no time that can be told beforehand"
    try:
        croniter(cron, datetime(2026, 1, 1, tzinfo=UTC)).get_next(float)
    except CroniterError:
        return f"cron {cron!r} never comes"
    return None


@dataclass(slots=True)
class Timetable:
    """When each schedule comes next: computed once, since the owner looks every second."""

    _next: dict[tuple[str, str], int] = field(default_factory=dict)  # ms, by model and schedule

    def due(self, state: RegistryState, now: int) -> list[Draft]:
        """A fact for each schedule that has a run to ask for at `now` (ms); again and again until
        the fact is in `state`.

        However many runs were missed, one is asked for (`catch_up: once`) or none (`skip`).
        """
        known, self._next = self._next, {}
        drafts = []
        for name, schedule_id, planned in _all_planned(state):
            place, cron = (name, schedule_id), planned.schedule.cron
            coming = known.get(place) or next_run(cron, planned.settled)
            if now < coming:
                self._next[place] = coming
            elif (run := _due(planned, now)) is not None:
                drafts.append(_draft(name, schedule_id, planned, run))
            else:
                self._next[place] = next_run(cron, now)
        return drafts


def _all_planned(state: RegistryState) -> Iterator[tuple[str, str, Planned]]:
    for name in sorted(state.models):
        for schedule_id, planned in state.models[name].schedules.items():
            yield name, schedule_id, planned


def _due(planned: Planned, now: int) -> int | None:
    """The newest run (ms) that has come and is not settled."""
    run = newest_run(planned.schedule.cron, now)
    if run is None or run <= planned.settled:
        return None
    if planned.schedule.catch_up == "skip" and now - run > MISSED_MS:
        return None
    return run


def newest_run(cron: str, now: int) -> int | None:
    """When (ms) the schedule last came, at the latest at `now`; None if it never did."""
    minute = now - now % 60_000 + 60_000  # `get_prev` looks strictly before
    try:
        run = croniter(cron, datetime.fromtimestamp(minute / 1_000, UTC)).get_prev(float)
    except CroniterError:
        return None
    return int(run) * 1_000


def next_run(cron: str, after: int) -> int:
    """When (ms) the schedule comes next, later than `after`; at the end of times if it never
    does."""
    try:
        run = croniter(cron, datetime.fromtimestamp(after / 1_000, UTC)).get_next(float)
    except CroniterError:
        return LATEST
    return int(run) * 1_000


def _draft(model: str, schedule_id: str, planned: Planned, run: int) -> Draft:
    return Draft(
        command_id=short_hash("schedule", model, schedule_id, str(run)),
        action="schedule",
        actor=ACTOR,
        reason=planned.schedule.cron,
        body={
            "model": model,
            "schedule_id": schedule_id,
            "due": format_time(run),
            "pipeline": planned.schedule.pipeline,
        },
    )
