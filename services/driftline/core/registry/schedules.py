"""Which runs of the schedules are due? Pure; times are UTC, so no hour is missing or twice."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from croniter import croniter  # type: ignore[import-untyped]  # it ships no types
from croniter.croniter import CroniterError  # type: ignore[import-untyped]

from driftline.core.fact_chain import Draft
from driftline.core.registry.models import Planned
from driftline.core.registry.state import RegistryState
from driftline_schemas.codec import short_hash
from driftline_schemas.fields import format_time

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


def due(state: RegistryState, now: int) -> Iterator[Draft]:
    """A fact for each schedule that has a run to ask for at `now` (ms).

    However many runs were missed, one is asked for (`catch_up: once`) or none (`skip`).
    """
    for name in sorted(state.models):
        for schedule_id, planned in state.models[name].schedules.items():
            if (run := _due(planned, now)) is not None:
                yield _draft(name, schedule_id, planned, run)


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
