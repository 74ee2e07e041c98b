"""All figures of one machine, one after the other on the same Kafka and Redis: `make load`.

Pairs flat out beside raw aiokafka; from sending a label to the journal; memory of predictions that
wait and of joined pairs; from the end of a pane to its alert. Each part runs alone too, with more
options: `python -m loadtests.pairs`, `loadtests.latency`, `loadtests.waiting`,
`loadtests.alerting`.
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Any

import orjson

from loadtests import alerting, latency, pairs, waiting
from loadtests.installation import Servers, real_servers
from loadtests.options import positive, whole
from loadtests.report import lines as pairs_lines
from loadtests.report import medians, table


def measure(found: Servers, options: argparse.Namespace) -> dict[str, Any]:
    """Everything, a part at a time."""
    began, (load_average, _, _) = monotonic(), os.getloadavg()
    result: dict[str, Any] = {"cores": os.cpu_count(), "load_average_before": load_average}
    _note("pairs flat out, beside raw aiokafka")
    result["pairs"] = medians([pairs.measure(found, pairs.Load(options.pairs), run=0)])
    _note("from sending a label to the journal")
    result["latency"] = latency.measure(found, latency.Load(options.rate, options.seconds))
    _note("memory of predictions that wait, and of joined pairs")
    result["waiting"] = waiting.measure(found, waiting.Load(options.waiting))
    _note("from the end of a pane to its alert")
    result["alerting"] = alerting.measure(found, alerting.Load(options.models, rate=options.rate))
    return {**result, "seconds": monotonic() - began}


def _note(part: str) -> None:
    print(f"measuring: {part}", file=sys.stderr)


def is_well(result: Mapping[str, Any]) -> bool:
    """Nothing was lost in any part, and every model had its alert."""
    return (
        pairs.is_well(result["pairs"])
        and latency.is_well(result["latency"])
        and alerting.is_well(result["alerting"])
    )


def lines(result: Mapping[str, Any]) -> list[str]:
    """For people."""
    machine = (
        f"{result['cores']} cores for everything, load average {result['load_average_before']:.1f}"
        f" before, all in {result['seconds']:.0f} s"
    )
    return [
        *table({"machine": machine}), "", "Flat out", *pairs_lines(result["pairs"]), "",
        "At a steady rate", *latency.lines(result["latency"]), "",
        "Memory of a prediction", *waiting.lines(result["waiting"]), "",
        "Alerts", *alerting.lines(result["alerting"]),
    ]  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print; exit code 1 when something was lost, or an alert did not come."""
    parser = argparse.ArgumentParser(prog="python -m loadtests", description=__doc__)
    parser.add_argument("--pairs", type=whole, default=100_000, help="flat out")
    parser.add_argument("--rate", type=positive, default=1_000.0, help="pairs a second, steady")
    parser.add_argument("--seconds", type=positive, default=20.0, help="of the steady rate")
    parser.add_argument("--waiting", type=whole, default=50_000, help="predictions in memory")
    parser.add_argument("--models", type=whole, default=10, help="that drift")
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    options = parser.parse_args(arguments)
    with real_servers() as found:
        result = measure(found, options)
    print(orjson.dumps(result).decode() if options.json else "\n".join(lines(result)))
    return 0 if is_well(result) else 1


if __name__ == "__main__":
    sys.exit(main())
