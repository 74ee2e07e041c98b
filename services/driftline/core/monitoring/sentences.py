"""What an alert says, in one sentence with its numbers."""

from collections.abc import Sequence
from typing import Final

from driftline.core.drift import error_incident
from driftline_schemas.alerts import Cause

NAMED: Final = 3  # features that a sentence names; all of them are in the cause


def features_drifted(causes: Sequence[Cause], features: int, n: int) -> str:
    """Features differ from the reference."""
    said = f"{len(causes)} of {features} features drifted from the reference over {n} predictions"
    return f"{said}: {_named(causes)}"


def features_are_back(causes: Sequence[Cause], n: int) -> str:
    """A block was clean."""
    return f"no feature differs from the reference over {n} predictions; drifted: {_named(causes)}"


def accuracy_fell(opened: error_incident.Opened) -> str:
    """The detector fired.

    Its window may reach back before the last 1,000 labels: then the rise is one against that, and
    the accuracy may even lie above the reference.
    """
    if opened.value >= opened.reference:
        return (
            f"errors became more frequent within the last {opened.n} labels: accuracy"
            f" {opened.value:.2f} since, {opened.reference:.2f} over the last up to 1,000 before"
        )
    return (
        f"accuracy fell from {opened.reference:.2f} to {opened.value:.2f}"
        f" over the last {opened.n} labels"
    )


def accuracy_is_back(resolved: error_incident.Resolved) -> str:
    """Recovered; the labels are those of predictions made since the opening."""
    return (
        f"accuracy is back at {resolved.value:.2f} over the last {resolved.n} labels"
        f" ({resolved.reference:.2f} before the incident)"
    )


def _named(causes: Sequence[Cause]) -> str:
    named = ", ".join(f"{cause.feature} (effect {cause.effect:.2f})" for cause in causes[:NAMED])
    more = len(causes) - NAMED
    return f"{named} and {more} more" if more > 0 else named
