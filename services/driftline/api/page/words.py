"""How numbers, times and outcomes are said."""

from math import isfinite
from typing import Final

from driftline.api.page.markup import Html, tag
from driftline_schemas.fields import format_time

NONE: Final = "–"  # noqa: RUF001 - what a table shows where there is no number
ACCURACY: Final = "accuracy"
ABSOLUTE_ERROR: Final = "mean_absolute_error"
OUTCOMES: Final = {
    "drifted": "drifted",
    "ok": "no drift",
    "not_enough_data": "not enough data",
    "cannot_evaluate": "cannot be judged",
}
STATUSES: Final = {
    "firing": "open",
    "worse": "open, and worse",
    "resolved": "resolved",
    "retracted": "retracted",
}
CHECKS: Final = {
    "data": "Data drift",
    "error": "Errors",
    "floor": "Floor",
    "no_predictions": "No predictions",
    "no_labels": "No labels",
}
METRICS: Final = {ACCURACY: "accuracy", ABSOLUTE_ERROR: "mean absolute error"}
ACTIONS: Final = {
    "apply_spec": "specification applied",
    "model_updated": "followed",
    "gate_evaluated": "gate",
    "promote": "promotion",
    "rollback": "rollback",
    "hold": "hold",
    "lift": "hold lifted",
    "accept_drift": "drift accepted",
    "retrain": "retraining",
    "schedule": "schedule",
}


def percent(share: float) -> str:
    """`94.1 %`; a whole number of percent without a decimal."""
    if not isfinite(share):
        return NONE
    return f"{share * 100:.1f}".removesuffix(".0") + " %"


def number(value: float | None) -> str:
    """At most four significant digits; a dash for none."""
    if value is None or not isfinite(value):
        return NONE
    if value == int(value) and abs(value) < 1e9:
        return f"{int(value):,}"
    return f"{value:,.1f}" if abs(value) >= 1_000 else f"{value:.4g}"


def gain(value: float | None) -> str:
    """`+0.021`: always with its sign."""
    return NONE if value is None or not isfinite(value) else f"{value:+.3f}"


def figure(metric: str, value: float | None) -> str:
    """A metric's value in its unit."""
    if value is None:
        return NONE
    return percent(value) if metric == ACCURACY else number(value)


def metric_name(metric: str) -> str:
    """`mean absolute error`."""
    return METRICS.get(metric, metric)


def short_time(millis: int) -> str:
    """`2026-11-25 21:00:04`, UTC."""
    return format_time(millis)[:19].replace("T", " ")


def moment(millis: int) -> Html:
    """A time as people and programs read it."""
    return tag("time", short_time(millis), datetime=format_time(millis))


def times(count: int, one: str, many: str | None = None) -> str:
    """`1 model`, `3 models`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def capital(sentence: str) -> str:
    """The first letter in upper case, a full stop at the end."""
    text = sentence[:1].upper() + sentence[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."
