"""Rows through the world, one after the other, each label so many rows late."""

import csv
import gzip
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from driftline.core.drift.error_incident import Opened
from driftline.core.learning.outcomes import GateDecided, IncidentStepped, Outcome
from tests.world.loop import World

DATA = Path(__file__).parents[3] / "shared/data"
Row = tuple[Mapping[str, Any], Any]


def csv_of(rows: Iterable[Row], label: str = "class") -> bytes:
    """A file of these rows; numbers are written so that they read back as themselves."""
    out = io.StringIO()
    writer = csv.writer(out)
    for number, (features, y) in enumerate(rows):
        if number == 0:
            writer.writerow([*features, label])
        writer.writerow([*(repr(v) if isinstance(v, float) else v for v in features.values()), y])
    return out.getvalue().encode()


def read_rows(name: str) -> list[dict[str, str]]:
    """A data set that lies beside the checkout."""
    with gzip.open(DATA / name, "rt") as file:
        return list(csv.DictReader(file))


@dataclass(slots=True)
class Played:
    """What came of a stream: served predictions with their labels by row, and what happened."""

    served: dict[int, tuple[Any, Any]] = field(default_factory=dict)
    happened: list[tuple[int, str]] = field(default_factory=list)

    def accuracy(self) -> float:
        """Of what was served."""
        right = sum(bool(p == y) for p, y in self.served.values())
        return right / len(self.served)

    def mae(self) -> float:
        """Of what was served."""
        return float(sum(abs(p - y) for p, y in self.served.values())) / len(self.served)


def play(
    world: World, rows: Sequence[Row], *, first: int, late: Callable[[int], int], row_ms: int = 25,
    every: Callable[[int], None] = lambda row: None,
) -> Played:  # fmt: skip
    """Predict row after row; the label of each comes `late(row)` rows later, just behind that row's
    prediction."""
    played = Played()
    waiting: dict[int, list[int]] = {}
    asked: dict[int, tuple[Any, str, int]] = {}
    start = world.now

    def hear(outcome: Outcome) -> None:
        if isinstance(outcome, IncidentStepped):
            what = "opened" if isinstance(outcome.outcome, Opened) else "resolved"
            played.happened.append((world.place, what))
        if isinstance(outcome, GateDecided) and outcome.gate.verdict == "promote":
            gate = outcome.gate
            played.happened.append((world.place, f"{gate.challenger} promoted on {gate.n}"))

    world.hear = hear
    for number, (features, y) in enumerate(rows):
        row = first + number
        world.place, world.now = row, start + (number + 1) * row_ms
        prediction, version = world.predict(features)
        played.served[row] = prediction, y
        asked[row] = prediction, version, world.now
        waiting.setdefault(row + late(row), []).append(row)
        world.now += 5
        for due in waiting.pop(row, []):
            prediction, version, at = asked.pop(due)
            x, label = rows[due - first]
            world.label(x, prediction, version, label, at)
        every(row)
    return played
