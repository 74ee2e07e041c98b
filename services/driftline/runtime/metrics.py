"""The one typed list of Prometheus metrics. Label sets are bounded: topics, codes, channels."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

disable_created_metrics()  # type: ignore[no-untyped-call]

MOST_NAMES: Final = 100
_names: set[str] = set()


def bounded(name: str) -> str:
    """A label value for a name that others choose: the first hundred names, then `other`."""
    if name not in _names and len(_names) < MOST_NAMES:
        _names.add(name)
    return name if name in _names else "other"


RECORDS_APPLIED = Counter(
    "driftline_records_applied_total", "Records folded into the state.", ["topic"]
)
RECORDS_LOST = Counter(
    "driftline_records_missing_total", "Offsets that the broker no longer has.", ["topic"]
)
HANDLER_FAILURES = Counter(
    "driftline_handler_failures_total", "Batches rolled back because the handler raised.", ["topic"]
)
DEAD_LETTERS = Counter("driftline_dead_letters_total", "Records refused, by reason.", ["reason"])
PARTITIONS_OWNED = Gauge("driftline_partitions_owned", "Partition numbers that this process owns.")
CONSUMER_LAG = Gauge("driftline_consumer_lag_records", "Records not applied yet.", ["topic"])
CHECKPOINT_TIMESTAMP = Gauge(
    "driftline_checkpoint_timestamp_seconds", "When offsets were last committed."
)
CHECKPOINTS_REFUSED = Counter(
    "driftline_checkpoints_refused_total", "Saves refused because another worker owns the state."
)
READY = Gauge("driftline_ready", "1 while the process has its servers and its partitions.")

JOINED = Counter("driftline_joined_total", "Predictions joined with their label.")
CORRECTIONS = Counter("driftline_corrections_total", "Labels that changed a joined one.")
REPEATS = Counter("driftline_repeats_total", "Events seen before, by kind.", ["kind"])
REPEAT_CONFLICTS = Counter(
    "driftline_repeat_conflicts_total", "Predictions under a known id with another body."
)
UNMATCHED = Counter("driftline_unmatched_total", "Halves without a partner in time.", ["reason"])
EXPIRED_EARLY = Counter("driftline_expired_early_total", "Joined although reported unmatched.")
SKEWED = Counter("driftline_skewed_total", "Predictions whose predicted_at is off.", ["producer"])
WAITING = Gauge("driftline_waiting_halves", "Halves that wait for their partner.", ["kind"])

VERDICTS = Counter("driftline_verdicts_total", "Verdicts published.", ["check", "outcome"])
OPEN_INCIDENTS = Gauge("driftline_open_incidents", "Incidents that are open.", ["check"])
ALERTS = Counter("driftline_alerts_total", "Alert revisions published.", ["check", "status"])
LABEL_KIND_CONFLICTS = Counter(
    "driftline_label_kind_conflicts_total", "Numbers where the spec says class, or the reverse."
)

REGISTRY_DECISIONS = Counter(
    "driftline_registry_decisions_total", "Commands decided, by action and outcome.",
    ["action", "outcome"],
)  # fmt: skip

REGISTRY_DAMAGED = Gauge(
    "driftline_registry_damaged", "1 once a fact cannot be followed: nothing newer is believed."
)

NOTIFICATIONS = Counter(
    "driftline_notifications_total", "Deliveries, by channel and result.", ["channel", "result"]
)
DELIVERY_SECONDS = Histogram(
    "driftline_delivery_seconds", "From the alert's time to its delivery.", ["channel"],
    buckets=(0.1, 0.5, 1, 5, 15, 60, 300, 3_600),
)  # fmt: skip
DELIVERY_RETRIES = Counter(
    "driftline_delivery_retries_total", "Deliveries that failed and are tried again.", ["channel"]
)
OLDEST_WAITING = Gauge(
    "driftline_oldest_waiting_alert_timestamp_seconds",
    "When the alert that waits longest for the channel was published; 0 if none waits.",
    ["channel"],
)

PREDICTIONS = Counter(
    "driftline_scorer_predictions_total", "Requests for predictions, by model and outcome.",
    ["model", "outcome"],
)  # fmt: skip
PREDICTION_SECONDS = Histogram(
    "driftline_scorer_prediction_seconds", "From a request's body to its answer.", ["model"],
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
)  # fmt: skip
SWAPS = Counter("driftline_scorer_swaps_total", "Versions that took over serving.", ["model"])
VERSIONS_REFUSED = Counter(
    "driftline_scorer_versions_refused_total", "Deployed versions that may not serve, by reason.",
    ["reason"],
)  # fmt: skip
RECORDING_DROPS = Counter(
    "driftline_scorer_recording_drops_total", "Predictions answered and never recorded."
)

LABELS_LEARNED = Counter("driftline_labels_learned_total", "Labels that were judged and learned.")
VERSIONS_MADE = Counter("driftline_versions_made_total", "Versions published by the learner.")
GATE_VERDICTS = Counter(
    "driftline_gate_verdicts_total", "Verdicts that were published.", ["verdict"]
)
BROKEN_LINEAGES = Gauge("driftline_broken_lineages", "Lineages and pipelines that have stopped.")
ARTIFACTS_WAITING = Gauge(
    "driftline_artifact_bytes_waiting", "Bytes that are not in the artifact store yet."
)
