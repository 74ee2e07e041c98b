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
    """Start of its first pane."""
    end: Millis = Field(alias="to")
    """End of its last pane."""
    n: int
    """Predictions in it."""


class Result(Event):
    """One feature's part (or `prediction`, or a metric) of a verdict; `counts`: how many of the
    window's predictions fell into each of its bins."""

    scope: str
    """A feature, `prediction`, or a metric."""
    statistic: str
    """What was computed."""
    value: float | None = None
    """Its value."""
    p_value: float | None = None
    """How surprising that is without drift."""
    effect: float | None = None
    """How large the change is."""
    threshold: float | None = None
    """The level that `p_value` is held against."""
    outcome: Outcome
    """What was found."""
    reason: str
    """Why, in a sentence."""
    counts: list[int] | None = None
    """Of the window's predictions in each bin."""
    reference: list[int] | None = None
    """What `counts` are compared with, once that is no longer the specification's reference."""


class Verdict(Event):
    """One record per model, check and window; a later revision replaces an earlier one."""

    verdict_id: Hash
    """Hash of model, check, target and window."""
    revision: int
    """A higher one replaces a lower one."""
    model: Name
    """The model."""
    model_version: str
    """What answered; of several versions the one with the most predictions."""
    check: str
    """`data` or `performance`."""
    target: int | str
    """The number of predictions that the window was judged for, or `month`."""
    window: Window
    """What it is about."""
    bins_id: Hash | None = None
    """The bins that were in force."""
    outcome: Outcome
    """The gravest of its results."""
    results: list[Result]
    """One for each feature or metric."""
    budget_share: float | None = None
    """False alarms of this window to be expected, of the alarm budget."""
    coverage: float | None = None
    """Labelled / predicted."""
    at: Millis
    """When it was reached, in the input's time."""


def verdict_id(model: str, check: str, target: int | str, start: int, end: int) -> str:
    """The id by which revisions of one verdict are known."""
    return short_hash(model, check, str(target), format_time(start), format_time(end))
