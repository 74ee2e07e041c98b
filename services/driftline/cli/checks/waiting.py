"""How much memory will waiting predictions take? An estimate."""

from collections.abc import Iterator
from statistics import median
from typing import Final

from driftline.cli.alerts import age
from driftline.cli.checks.evidence import Evidence
from driftline.cli.checks.finding import Finding, error, warning
from driftline.cli.status_screen import size

CHECK = "waiting predictions"
REDIS_BYTES: Final = 410.0  # of a half, measured with 100,000 predictions of 598 B in 16 hashes
JOINER_BYTES: Final = 124.0  # of a half that waits in Redis: an entry (hash, time) of a bare dict
MEASURABLE: Final = 1_000  # halves that tell what they weigh here
TIGHT: Final = 0.7


def check(seen: Evidence) -> Iterator[Finding]:
    """Against Redis' limit, or its machine's memory."""
    if seen.redis is None or not seen.predictions_per_second:
        return
    limit = seen.redis.limit_bytes or seen.redis.machine_bytes
    wanted = forecast(seen) * _redis_bytes(seen)
    if limit and wanted > TIGHT * limit:
        yield (error if wanted > limit else warning)(
            CHECK,
            f"{told(seen)[0].upper()}{told(seen)[1:]}, and Redis may use {size(limit)}.",
            "Give Redis more memory, bring labels sooner, or sample the predictions that are"
            " logged.",
        )


def told(seen: Evidence) -> str:
    """The forecast in a sentence without its full stop."""
    if not seen.predictions_per_second:
        return "nothing is predicted now"
    halves = forecast(seen)
    measured = "measured here" if _is_measurable(seen) else "as predictions of 600 B take"
    return (
        f"at {seen.predictions_per_second:,.0f} predictions/s, {_unlabelled(seen):.0%} of them"
        f" without a label for {age(seen.horizon_ms)}, about {halves:,.0f} will wait:"
        f" {size(halves * _redis_bytes(seen))} of Redis ({_redis_bytes(seen):.0f} B each,"
        f" {measured}) and {size(halves * JOINER_BYTES)} over all joiners (an estimate)"
    )


def forecast(seen: Evidence) -> float:
    """Predictions that wait once the horizon is full: rate x how long they wait."""
    share = _unlabelled(seen)
    waits = share * seen.horizon_ms + (1 - share) * _delay_ms(seen)
    return seen.predictions_per_second * waits / 1_000


def _unlabelled(seen: Evidence) -> float:
    """The share of predictions that no label comes for, by the numbers of the last hour."""
    return max(0.0, 1 - seen.labels_per_second / seen.predictions_per_second)


def _delay_ms(seen: Evidence) -> float:
    """How long labels take, as a median of those sampled with their predictions."""
    known = {(each.model, each.prediction_id): each.at for each in seen.predictions}
    delays = [max(0, each.at - known[each.model, each.prediction_id]) for each in seen.labels
              if (each.model, each.prediction_id) in known]  # fmt: skip
    return median(delays) if delays else 0.0


def _is_measurable(seen: Evidence) -> bool:
    return seen.kept is not None and seen.kept.halves >= MEASURABLE


def _redis_bytes(seen: Evidence) -> float:
    if seen.kept is not None and _is_measurable(seen):
        return seen.kept.half_bytes / seen.kept.halves
    return REDIS_BYTES
