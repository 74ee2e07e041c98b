"""Bookings that a model judged, replayed into their own months with labels from a second file.

What the topics say of each month is what the files say, and what they say of the floor follows from
the journal's order of what the files say; both are figured again here.
"""

import csv
import gzip
import subprocess
import sys
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import orjson
import pytest

from driftline.cli.apply import apply_spec, make_bins
from driftline.cli.spec_file import load_spec
from driftline.servers import LocalServers
from driftline_schemas.fields import parse_time
from driftline_schemas.topics import ALERTS, JOURNAL, VERDICTS
from tests.integration.installation import Installation, installation
from tests.verifier.reading import read_topic
from tests.waiting import PATIENCE_SECONDS, until

DATA = Path(__file__).parents[3] / "shared/data/hotel_bookings"
PREDICTED, LABELS = DATA / "production.csv.gz", DATA / "production_labels.csv.gz"
KNOWN_BEFORE = "2017-02-15"  # labels of later bookings are not there yet
FLOOR, OVER_LABELS = 0.75, 800
REPLAYED_SECONDS = 4 * PATIENCE_SECONDS  # a quarter of a minute where nothing else runs
SPEC = f"""\
model: hotel
task: binary
features:
  - {{name: hotel, kind: categorical}}
  - {{name: market_segment, kind: categorical}}
  - {{name: lead_time, kind: numeric}}
  - {{name: adr, kind: numeric}}
  - {{name: is_repeated_guest, kind: boolean}}
reference: {{file: {DATA / "reference.csv.gz"}, label: is_canceled, prediction: y_pred}}
floors:
  - {{metric: accuracy, below: {FLOOR}, over_labels: {OVER_LABELS}}}
"""

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not DATA.exists(), reason="the data set lies beside the checkout only"),
]


@dataclass(frozen=True, slots=True)
class Booking:
    """A row of the file; `is_right` None: its label is not known."""

    month: str
    is_right: bool | None


@dataclass(slots=True)
class Month:
    """Sums over the bookings of a month."""

    predicted: int = 0
    labelled: int = 0
    wrong: int = 0

    def figures(self) -> tuple[int, float, float]:
        """Predictions, coverage, accuracy."""
        return self.predicted, self.labelled / self.predicted, 1 - self.wrong / self.labelled


@dataclass(frozen=True, slots=True)
class Crossing:
    """Accuracy fell below the floor, or has been back for long enough, with label number `at`."""

    status: Literal["firing", "resolved"]
    at: int
    accuracy: float


def read(file: Path) -> Iterator[dict[str, str]]:
    with gzip.open(file, "rt", newline="") as opened:
        yield from csv.DictReader(opened)


def known_labels() -> dict[str, str]:
    """By `Index`, those of the bookings before the day up to which they are known."""
    open_ = {row["Index"] for row in read(PREDICTED) if row["timestamp"] >= KNOWN_BEFORE}
    return {r["Index"]: r["is_canceled"] for r in read(LABELS) if r["Index"] not in open_}


def bookings(labels: dict[str, str]) -> list[Booking]:
    return [
        Booking(row["timestamp"][:7], row["y_pred"] == label if label else None)
        for row in read(PREDICTED)
        for label in [labels.get(row["Index"])]
    ]


def by_month(rows: Iterable[Booking]) -> dict[str, tuple[int, float, float]]:
    months: defaultdict[str, Month] = defaultdict(Month)
    for row in rows:
        month = months[row.month]
        month.predicted += 1
        month.labelled += row.is_right is not None
        month.wrong += row.is_right is False
    return {name: month.figures() for name, month in months.items()}


def crossings(rights: Iterable[bool]) -> list[Crossing]:
    """Where an alert of the floor fires and resolves, as docs/alerts.md says it."""
    last: deque[bool] = deque(maxlen=OVER_LABELS)
    found: list[Crossing] = []
    is_open, steady = False, 0
    for number, is_right in enumerate(rights):
        last.append(is_right)
        if len(last) < OVER_LABELS:
            continue
        accuracy = sum(last) / OVER_LABELS
        steady = 0 if accuracy < FLOOR else steady + 1
        if not is_open and accuracy < FLOOR:
            found.append(Crossing("firing", number, accuracy))
            is_open = True
        elif is_open and steady >= OVER_LABELS / 2:
            found.append(Crossing("resolved", number, accuracy))
            is_open = False
    return found


def told_months(made: Installation) -> dict[str, tuple[int, float, float]]:
    """Predictions, coverage and accuracy of each month by the newest revision of its verdict."""
    newest: dict[str, dict[str, Any]] = {}
    for verdict in made.read(VERDICTS):
        record: dict[str, Any] = verdict
        if record["target"] == "month":
            month = record["window"]["from"][:7]
            if month not in newest or record["revision"] > newest[month]["revision"]:
                newest[month] = record
    return {
        month: (record["window"]["n"], record["coverage"], record["results"][0]["value"])
        for month, record in newest.items()
    }


class Labelled(NamedTuple):
    """A joined record: its booking's row of the file, its append time, and whether it was right."""

    row: int
    at: int
    is_right: bool


def labels_in_order(made: Installation) -> list[Labelled]:
    """Those of the joined bookings, in the order of the journal."""
    journal = read_topic(made.servers.brokers, JOURNAL.full_name(made.prefix))
    records = [(record.timestamp, orjson.loads(record.value or b"{}")) for record in journal]
    return [
        Labelled(int(r["prediction_id"].rpartition("-")[2]), at, r["prediction"] == r["label"])
        for at, r in records
        if r["kind"] == "joined"
    ]


def told_crossings(made: Installation) -> list[tuple[str, int, float]]:
    """Status, time and accuracy of the floor's alerts, revision by revision."""
    alerts: list[dict[str, Any]] = [a for a in made.read(ALERTS) if a["check"] == "floor"]
    return [(a["status"], parse_time(a["at"]), a["value"]) for a in alerts]


def replay(made: Installation, spec: Path, labels: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "driftline", "replay", str(PREDICTED), "--spec", str(spec),
         "--predicted-at", "timestamp", "--labels", str(labels), "--label-key", "Index",
         "--label-delay", "300rows", "--speed", "1500", "--json"],
        env=made.process_environment, check=True, timeout=REPLAYED_SECONDS,
        stdout=subprocess.PIPE,
    )  # fmt: skip
    totals: dict[str, Any] = orjson.loads(done.stdout)
    return totals


def test_each_month_and_the_floor_are_told_as_the_files_have_them(
    servers: LocalServers, prefix: str, tmp_path: Path
) -> None:
    labels = known_labels()
    rows = bookings(labels)
    spec, truth = tmp_path / "hotel.yaml", tmp_path / "labels.csv"
    spec.write_text(SPEC)
    truth.write_text("".join(f"{i},{c}\n" for i, c in [("Index", "is_canceled"), *labels.items()]))
    with installation(servers, prefix, tmp_path) as made:
        hotel = load_spec(spec)
        bins = make_bins(spec, hotel)
        apply_spec(made.settings, hotel, bins, actor="test", reason="test", agreed=True)
        made.start("joiner", "j1")
        made.start("monitor", "m1")
        made.wait_until_ready("j1", "m1")
        totals = replay(made, spec, truth)
        assert (totals["rows"], totals["labels"]) == (len(rows), len(labels))
        made.wait_for_lag("joiner")
        until(lambda: told_months(made) == by_month(rows), lambda: str(told_months(made)), pause=1)

        made.wait_for_lag("monitor")
        in_journal = labels_in_order(made)
        assert sorted((each.row, each.is_right) for each in in_journal) == [
            (number, row.is_right) for number, row in enumerate(rows) if row.is_right is not None
        ]
        # Not the file's order: labels come in 16 partitions, on a busy machine a second apart.
        wanted_crossings = crossings([each.is_right for each in in_journal])
        assert wanted_crossings
        assert told_crossings(made) == [
            (c.status, in_journal[c.at].at, c.accuracy) for c in wanted_crossings
        ]
