"""The PromQL of deploy/: of each panel of the dashboard, and of each rule."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

DEPLOY: Final = Path(__file__).parents[2] / "deploy"
DASHBOARD: Final = DEPLOY / "grafana" / "dashboards" / "driftline.json"
RULES: Final = DEPLOY / "prometheus" / "rules.yml"
RATE_INTERVAL: Final = "1m"  # Grafana's for a scrape every 15 s: four of them
METRIC: Final = re.compile(r"\b(?:driftline|process)_[a-z0-9_]+")
QUOTED: Final = re.compile(r'"[^"]*"')
GROUPED: Final = re.compile(r"\b(?:by|on)\s*\(([^)]*)\)")
MATCHED: Final = re.compile(r"([a-z_]+)\s*(?:=~|!~|!=|=)\s*\"")


@dataclass(frozen=True, slots=True)
class Query:
    """One expression, and where it stands."""

    place: str
    expression: str

    @property
    def metrics(self) -> frozenset[str]:
        """The names of the series that it reads."""
        return frozenset(METRIC.findall(QUOTED.sub("", self.expression)))

    @property
    def labels(self) -> frozenset[str]:
        """The labels that it groups by or asks for."""
        grouped = ",".join(GROUPED.findall(self.expression)).split(",")
        asked = MATCHED.findall(self.expression)
        return frozenset(name.strip() for name in (*grouped, *asked) if name.strip())


def panels() -> list[dict[str, Any]]:
    """The panels that show something; rows are headings."""
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return [panel for panel in found if panel["type"] != "row"]


def panel_queries() -> Iterator[Query]:
    """Of the dashboard, as Grafana would ask."""
    for panel in panels():
        for target in panel["targets"]:
            expression = target["expr"].replace("$__rate_interval", RATE_INTERVAL)
            yield Query(panel["title"], expression)


def rules() -> list[dict[str, Any]]:
    """The alerting rules."""
    return [
        rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]
    ]


def rule_queries() -> Iterator[Query]:
    """Of the rules."""
    for rule in rules():
        yield Query(rule["alert"], rule["expr"])
