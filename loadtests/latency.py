"""How long from sending a label until its joined record is in the journal? At a steady rate.

Each label follows its prediction after a second, while both wait in the joiner's memory. The time
runs from handing the label to a producer (linger 20 ms) to the broker's append time of the joined
record; the joiner's own producer lingers another 20 ms. Feeder and broker must share a clock. The
same run tells what the roles cost at that rate, and what the topics take on disk.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import orjson

from driftline_schemas.fields import parse_time
from driftline_schemas.topics import JOURNAL, LABELS, PREDICTIONS
from loadtests.cpu import cpu_by_name
from loadtests.events import Events
from loadtests.feeding import Feeder, order
from loadtests.installation import Installation, Servers, installation, real_servers, running
from loadtests.lag import wait_until_idle
from loadtests.options import positive
from loadtests.outcome import messages, topic_bytes
from loadtests.report import spread, table, told

WARM_UP_SECONDS: Final = 5.0
LABEL_SECONDS: Final = 1.0
ON_DISK: Final = (PREDICTIONS.name, LABELS.name, JOURNAL.name)


@dataclass(frozen=True, slots=True)
class Load:
    """What to run: pairs a second, for so many seconds."""

    rate: float
    seconds: float

    def order(self, seconds: float) -> Iterator[Any]:
        """The halves of so many seconds."""
        return order(int(self.rate * seconds), int(self.rate * LABEL_SECONDS))


def measure(found: Servers, load: Load) -> dict[str, Any]:
    """One run in an installation of its own; shares are of one core."""
    with installation(found) as made, running(made, {"joiner": 1, "monitor": 1}) as roles:
        warm = Feeder(found.brokers, made.prefix, Events.made(0), load.rate)
        warm.send(load.order(WARM_UP_SECONDS))
        disk, cpu = topic_bytes(found.brokers, made.prefix), cpu_by_name(roles.pids)
        feeder = Feeder(found.brokers, made.prefix, Events.made(1), load.rate)
        seconds = feeder.send(load.order(load.seconds))
        shares = {
            f"{role}_cpu_share": (spent - cpu[role]) / seconds
            for role, spent in cpu_by_name(roles.pids).items()
        }
        wait_until_idle(made, roles)
        pairs = len(feeder.labelled)
        grown = topic_bytes(found.brokers, made.prefix)
        passages = _passages(made, feeder.labelled)
    return {
        "pairs": pairs,
        "joined": len(passages),
        "pairs_per_second": pairs / (seconds - LABEL_SECONDS),
        "send_to_journal_ms": spread([each.joined - each.sent for each in passages]),
        "label_to_journal_ms": spread([each.joined - each.label for each in passages]),
        **shares,
        "disk_bytes_per_pair": {name: (grown[name] - disk[name]) / pairs for name in ON_DISK},
    }


class Passage(NamedTuple):
    """One label's way, in ms since the epoch: handed over, appended, its joined record appended."""

    sent: int
    label: int
    joined: int


def _passages(made: Installation, sent: Mapping[bytes, int]) -> list[Passage]:
    """Of each label that was sent and joined; a pair that was written twice counts once."""
    found: dict[bytes, Passage] = {}
    for message in messages(made.found.brokers, made.prefix, JOURNAL):
        record = orjson.loads(message.value())
        if record["kind"] == "joined" and (key := record["prediction_id"].encode()) in sent:
            passage = Passage(sent[key], parse_time(record["label_ts"]), message.timestamp()[1])
            found.setdefault(key, passage)
    return list(found.values())


def is_well(result: Mapping[str, Any]) -> bool:
    """Every pair was joined."""
    return bool(result["joined"] == result["pairs"])


def lines(result: Mapping[str, Any]) -> list[str]:
    """For people."""
    ms, disk = result["send_to_journal_ms"], result["disk_bytes_per_pair"]
    shares = ", ".join(
        f"{role} {result[f'{role}_cpu_share']:.0%}" for role in ("joiner", "monitor")
    )
    sizes = ", ".join(f"{name} {size:,.0f}" for name, size in disk.items())
    rows = {
        "steady": f"{result['pairs_per_second']:,.0f} pairs/s, of a core: {shares}",
        "send to journal": f"{told(ms)}, {result['joined']:,} of {result['pairs']:,} joined",
        "of that in Driftline": told(result["label_to_journal_ms"]),
        "disk": f"{sum(disk.values()):,.0f} bytes a pair: {sizes}",
    }
    return table(rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print; exit code 1 when a pair is missing."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.latency", description=__doc__)
    parser.add_argument("--rate", type=positive, default=1_000.0, help="pairs a second")
    parser.add_argument("--seconds", type=positive, default=20.0)
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    options = parser.parse_args(arguments)
    with real_servers() as found:
        result = measure(found, Load(options.rate, options.seconds))
    print(orjson.dumps(result).decode() if options.json else "\n".join(lines(result)))
    return 0 if is_well(result) else 1


if __name__ == "__main__":
    sys.exit(main())
