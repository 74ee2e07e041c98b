"""The dashboard and the rules speak of metrics that exist, under the names that they have."""

import json
import re

import promql_parser
import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

from driftline.cli.run import Role
from driftline.runtime import metrics
from tests.dashboards.queries import (
    DASHBOARD,
    DEPLOY,
    Query,
    panel_queries,
    panels,
    rule_queries,
    rules,
)

OF_THE_TARGET = {"job", "instance", "role"}
OF_THE_CLIENT_LIBRARY = {
    "process_start_time_seconds", "process_cpu_seconds_total", "process_resident_memory_bytes",
}  # fmt: skip
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_count", "_sum")}
TESTS = yaml.safe_load((DEPLOY / "prometheus" / "rules.test.yml").read_text())["tests"]
PROMETHEUS = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())


def ours() -> dict[str, set[str]]:
    """The names of our series, each with its own labels."""
    found: dict[str, set[str]] = {}
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            (family,) = metric.describe()
            for suffix in SUFFIXES[family.type]:
                labels = {"le"} if suffix == "_bucket" else set()
                found[family.name + suffix] = labels | set(metric._labelnames)
    return found


KNOWN = ours()
QUERIES = [*panel_queries(), *rule_queries()]


def test_what_a_query_reads_is_found_in_it() -> None:
    query = Query("", 'sum by (role, le) (rate(driftline_a_total{reason!~"driftline_b"}[5m]))')

    assert query.metrics == {"driftline_a_total"}
    assert query.labels == {"role", "le", "reason"}


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.place)
def test_a_query_is_promql_whose_types_fit(query: Query) -> None:
    promql_parser.parse(query.expression)


@pytest.mark.parametrize("expression", ["rate(a)", "sum by (x (a)", "a > 0)", "foo(a)"])
def test_what_is_no_promql_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        promql_parser.parse(expression)


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.place)
def test_a_query_reads_metrics_that_exist(query: Query) -> None:
    assert query.metrics <= set(KNOWN) | OF_THE_CLIENT_LIBRARY


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.place)
def test_a_query_uses_labels_that_its_metrics_have(query: Query) -> None:
    own = [KNOWN.get(name, set()) for name in query.metrics]

    assert query.labels <= OF_THE_TARGET.union(*own)


def test_every_metric_has_its_place_in_the_dashboard() -> None:
    shown = {name for query in panel_queries() for name in query.metrics}
    histograms = {name for name in KNOWN if name.endswith(("_count", "_sum"))}

    assert set(KNOWN) - histograms <= shown


def test_the_dashboard_asks_the_source_that_grafana_is_given() -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    (variable,) = dashboard["templating"]["list"]
    folder = DEPLOY / "grafana" / "provisioning" / "datasources"
    (source,) = yaml.safe_load((folder / "prometheus.yml").read_text())["datasources"]

    assert variable["current"]["value"] == source["uid"]
    assert {panel["datasource"]["uid"] for panel in panels()} == {"${datasource}"}


def test_panels_have_ids_of_their_own_and_do_not_overlap() -> None:
    everything = json.loads(DASHBOARD.read_text())["panels"]
    cells = [
        (x, y)
        for panel in everything
        for at in [panel["gridPos"]]
        for x in range(at["x"], at["x"] + at["w"])
        for y in range(at["y"], at["y"] + at["h"])
    ]

    assert len({panel["id"] for panel in everything}) == len(everything)
    assert len(set(cells)) == len(cells)
    assert all(x < 24 for x, _ in cells)
    assert all(panel["title"] and panel["description"] for panel in panels())


def test_every_rule_says_what_is_wrong_and_what_to_do() -> None:
    for rule in rules():
        assert rule["labels"]["severity"] in ("critical", "warning", "info"), rule["alert"]
        assert rule["annotations"]["summary"].endswith("."), rule["alert"]
        assert rule["annotations"]["runbook"].endswith("."), rule["alert"]
    assert len({rule["alert"] for rule in rules()}) == len(rules())


@pytest.mark.parametrize("rule", [rule["alert"] for rule in rules()])
def test_every_rule_fires_in_a_test_of_its_own(rule: str) -> None:
    """That it also stays silent is what all other tests ask for: they name all that fires."""
    expected = [
        sample["labels"]
        for test in TESTS
        for case in test.get("promql_expr_test", [])
        for sample in case["exp_samples"]
    ]
    named = {
        case["alertname"]
        for test in TESTS
        for case in test.get("alert_rule_test", [])
        if case["exp_alerts"]
    }

    assert rule in named or any(f'alertname="{rule}"' in labels for labels in expected)


def test_every_role_is_scraped_and_missed() -> None:
    roles = {role.value for role in Role}
    (job,) = [job for job in PROMETHEUS["scrape_configs"] if job["job_name"] == "driftline"]
    (down,) = [rule["expr"] for rule in rules() if rule["alert"] == "DriftlineRoleDown"]

    assert set(job["dns_sd_configs"][0]["names"]) == roles
    assert set(re.findall(r'absent\(up\{job="driftline", role="([a-z]+)"\}\)', down)) == roles
