"""What a check found in one window: effect size, evidence and budget, never a bare p-value."""

from typing import Literal

from pydantic import ConfigDict, Field

from driftline_schemas.codec import short_hash
from driftline_schemas.fields import Event, Hash, Millis, Name, format_time

Outcome = Literal["ok", "drifted", "not_enough_data", "cannot_evaluate"]


class Window(Event):
    """Panes from `from` (inclusive) to `to` (exclusive) and the predictions in them."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    start: Millis = Field(alias="from")
    end: Millis = Field(alias="to")
    n: int


class Result(Event):
    """One feature's part (or `prediction`, or a metric) of a verdict; `counts`: how many of the
    window's predictions fell into each of its bins."""

    scope: str
    statistic: str
    value: float | None = None
    p_value: float | None = None
    effect: float | None = None
    threshold: float | None = None
    outcome: Outcome
    reason: str
    counts: list[int] | None = None


class Verdict(Event):
    """One record per model, check and window; a later revision replaces an earlier one."""

    verdict_id: Hash
    revision: int
    model: Name
    model_version: str
    check: str
    target: int | str
    window: Window
    bins_id: Hash | None = None
    outcome: Outcome
    results: list[Result]
    budget_share: float | None = None
    coverage: float | None = None
    at: Millis


def verdict_id(model: str, check: str, target: int | str, start: int, end: int) -> str:
    """The id by which revisions of one verdict are known."""
    return short_hash(model, check, str(target), format_time(start), format_time(end))
