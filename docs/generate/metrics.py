"""The page of metrics: runtime/metrics.py, and which role sets what."""

from collections.abc import Iterator
from typing import Final

from prometheus_client import Histogram
from prometheus_client.metrics import MetricWrapperBase

from docs.generate import reading
from docs.generate.markdown import code, document, table
from driftline.runtime import metrics

# Private to the client library, and the only place where a metric keeps what it was made with.
TYPE, LABELS, HELP, BOUNDS = "_type", "_labelnames", "_documentation", "_upper_bounds"
INTRODUCTION: Final = """\
Every process serves them as `/metrics`, see `DRIFTLINE_METRICS_PORT` in [settings](settings.md). A
role sets those of its rows; the others that it exports stay at 0 or empty. Label values are
bounded: topics, codes, channels, and of names that others choose the first 100, then `other`. The
client library adds its own `process_` and `python_` metrics. What is worth an alert is in
[rules.yml](../../deploy/prometheus/rules.yml)."""


def page() -> str:
    """docs/reference/metrics.md"""
    headings = ("metric", "type", "labels", "meaning", "set by")
    return document(
        "Metrics",
        INTRODUCTION,
        table(headings, map(_row, named_metrics().items())),
        "## Buckets of histograms",
        table(("metric", "upper bounds, seconds"), _buckets()),
    )


def named_metrics() -> dict[str, MetricWrapperBase]:
    """The metrics in their order, by the name that the code calls each."""
    return {
        name: value for name, value in vars(metrics).items() if isinstance(value, MetricWrapperBase)
    }


def setters(name: str) -> list[str]:
    """The roles that set a metric."""
    return [r for r in reading.ROLES if name in reading.mentioned(reading.entry(r), "metrics")]


def exported(metric: MetricWrapperBase) -> str:
    """The name that Prometheus sees."""
    return next(iter(metric.describe())).name + ("_total" if _kind(metric) == "counter" else "")


def _row(named: tuple[str, MetricWrapperBase]) -> tuple[str, ...]:
    name, metric = named
    roles = setters(name)
    said = "every role" if len(roles) == len(reading.ROLES) else ", ".join(roles)
    labels = ", ".join(map(code, getattr(metric, LABELS)))
    return code(exported(metric)), _kind(metric), labels, getattr(metric, HELP), said


def _kind(metric: MetricWrapperBase) -> str:
    return str(getattr(metric, TYPE))


def _buckets() -> Iterator[tuple[str, str]]:
    for metric in named_metrics().values():
        if isinstance(metric, Histogram):
            bounds = [f"{bound:g}" for bound in getattr(metric, BOUNDS) if bound != float("inf")]
            yield code(exported(metric)), ", ".join(bounds)
