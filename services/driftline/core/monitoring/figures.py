"""What one figure says about a window: accuracy for classes, mean absolute error for numbers."""

from typing import Final

from driftline.core.monitoring.tallies import Tally
from driftline_schemas.spec import ModelSpec
from driftline_schemas.verdicts import Outcome, Result, Verdict, Window, verdict_id

PERFORMANCE: Final = "performance"
ACCURACY: Final = "accuracy"
ABSOLUTE_ERROR: Final = "mean_absolute_error"


def performance_verdict(
    spec: ModelSpec, target: int | str, start: int, end: int, tally: Tally, main_version: str
) -> Verdict:
    """The verdict on [start, end) (ms), from its sums; `main_version` made most predictions."""
    result = _result(spec, tally)
    return Verdict(
        verdict_id=verdict_id(spec.model, PERFORMANCE, target, start, end),
        revision=tally.revision,
        model=spec.model,
        model_version=main_version,
        check=PERFORMANCE,
        target=target,
        window=Window(start=start, end=end, n=tally.predicted),
        outcome=result.outcome,
        results=[result],
        coverage=_coverage(tally),
        at=tally.changed_at,
    )


def _coverage(tally: Tally) -> float:
    """Labelled / predicted. Labels may be known before the counts of their predictions."""
    return tally.labelled / max(tally.predicted, tally.labelled, 1)


def metric_of(spec: ModelSpec) -> str | None:
    """The metric that is figured, None if the spec asks for one that is not supported."""
    if spec.task == "regression":  # `accuracy` is what a spec says that names no metric
        return ABSOLUTE_ERROR if spec.metric in (ACCURACY, ABSOLUTE_ERROR) else None
    return ACCURACY if spec.metric == ACCURACY else None


def _result(spec: ModelSpec, tally: Tally) -> Result:
    metric = metric_of(spec)
    if metric is None:
        reason = f"the metric {spec.metric} is not supported for {spec.task} models"
        return _without_value(spec.metric, "cannot_evaluate", reason)
    scored = tally.numbers if metric == ABSOLUTE_ERROR else tally.classes
    if not tally.labelled:
        return _without_value(metric, "not_enough_data", "no labels have come yet")
    if not scored:
        wanted = "numbers" if metric == ABSOLUTE_ERROR else "classes"
        reason = f"none of {tally.labelled} labelled predictions and labels are both {wanted}"
        return _without_value(metric, "cannot_evaluate", reason)
    value = tally.mean_error if metric == ABSOLUTE_ERROR else 1 - tally.wrong / scored
    return Result(
        scope=metric,
        statistic=metric,
        value=value,
        outcome="ok",
        reason=_reason(tally, scored),
    )


def _reason(tally: Tally, scored: int) -> str:
    if tally.labelled > tally.predicted:
        said = f"{tally.labelled} labels; {tally.predicted} of their predictions are counted so far"
    else:
        said = f"{tally.labelled} of {tally.predicted} predictions are labelled"
    if tally.labelled < tally.predicted:
        said += ", so the figure may still change"
    if scored < tally.labelled:
        said += f"; {tally.labelled - scored} of them cannot be scored"
    return said


def _without_value(metric: str, outcome: Outcome, reason: str) -> Result:
    return Result(scope=metric, statistic=metric, outcome=outcome, reason=reason)
