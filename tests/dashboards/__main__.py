"""Ask a Prometheus that scrapes Driftline every query of deploy/; exit code 1 if one is wrong.

A panel must show series unless a metric that it reads does not exist there yet, as counters with
labels do not before their first event. Rules must be valid: in good times they find nothing.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import httpx

from tests.dashboards.queries import Query, panel_queries, rule_queries

Outcome = Literal["ok", "no such series yet", "EMPTY", "INVALID"]
HOUR_SECONDS = 3_600


@dataclass(frozen=True, slots=True)
class Asked:
    """A query, and what became of it."""

    query: Query
    outcome: Outcome
    detail: str


@dataclass(frozen=True, slots=True)
class Prometheus:
    """Its HTTP API."""

    client: httpx.Client

    def names(self) -> frozenset[str]:
        """Of all series that it knows."""
        return frozenset(self._data("/api/v1/label/__name__/values"))

    def ask(self, query: Query, known: frozenset[str], *, may_be_empty: bool) -> Asked:
        """Is the query valid, and does it find anything, now or in the last hour?"""
        answer = self.client.get("/api/v1/query", params={"query": query.expression}).json()
        if answer["status"] != "success":
            return Asked(query, "INVALID", answer["error"])
        series = len(answer["data"]["result"]) or self._in_the_last_hour(query)
        if series or may_be_empty:
            return Asked(query, "ok", f"{series} series")
        if missing := query.metrics - known:
            return Asked(query, "no such series yet", ", ".join(sorted(missing)))
        return Asked(query, "EMPTY", query.expression)

    def _in_the_last_hour(self, query: Query) -> int:
        now = float(self._data("/api/v1/query", query="time()")["result"][1])
        found = self._data(
            "/api/v1/query_range",
            query=query.expression,
            start=now - HOUR_SECONDS,
            end=now,
            step=15,
        )
        return len(found["result"])

    def _data(self, path: str, **asked: str | float) -> Any:
        return self.client.get(path, params=asked).raise_for_status().json()["data"]


def ask_all(prometheus: Prometheus) -> list[Asked]:
    """Every panel's and every rule's query."""
    known = prometheus.names()
    panels = [prometheus.ask(query, known, may_be_empty=False) for query in panel_queries()]
    rules = [prometheus.ask(query, known, may_be_empty=True) for query in rule_queries()]
    return panels + rules


def main(arguments: Sequence[str] | None = None) -> int:
    """Asks, and prints a line for each query."""
    parser = argparse.ArgumentParser(prog="python -m tests.dashboards", description=__doc__)
    parser.add_argument("--prometheus", default="http://127.0.0.1:9090", metavar="URL")
    options = parser.parse_args(arguments)
    with httpx.Client(base_url=options.prometheus, timeout=20) as client:
        try:
            asked = ask_all(Prometheus(client))
        except httpx.HTTPError as error:
            print(f"No Prometheus answers at {options.prometheus}: {error}.")
            return 1
    for each in asked:
        print(f"{each.outcome:<18}  {each.query.place:<42}  {each.detail}")
    wrong = sum(each.outcome in ("EMPTY", "INVALID") for each in asked)
    print(f"{len(asked)} queries, {wrong} of them wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
