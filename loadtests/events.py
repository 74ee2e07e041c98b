"""The events of a load test: 20 features, bodies from a pool, an id of its own for each pair."""

import csv
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final, Self

import orjson

from driftline_schemas.fields import format_time

MODEL: Final = "load"
VERSION: Final = "champion-1"
CLASSES: Final = ("approve", "refer", "decline")
NUMERIC: Final = tuple(f"amount_{number:02d}" for number in range(15))
CATEGORICAL: Final = tuple(f"segment_{number}" for number in range(5))
PLACES: Final = tuple(f"place {number:02d}" for number in range(30))
POOL: Final = 2_000
REFERENCE_ROWS: Final = 2_000


def row(chance: Random, shift: float = 0.0) -> dict[str, Any]:
    """Features of one prediction: 15 numbers and 5 categories of unequal frequency.

    shift: how much larger the numbers are than those of the reference; their deviation is 30.
    """
    features: dict[str, Any] = {name: round(chance.gauss(100, 30) + shift, 4) for name in NUMERIC}
    for name in CATEGORICAL:
        features[name] = PLACES[int(len(PLACES) * chance.random() ** 2)]
    return features


@dataclass(frozen=True, slots=True)
class Events:
    """Bodies without their id and time; `run` keeps the ids of several runs apart."""

    run: int
    model: str
    tails: list[bytes]  # of predictions: everything after `predicted_at`

    @classmethod
    def made(cls, run: int, model: str = MODEL, *, seed: int = 0, shift: float = 0.0) -> Self:
        """A pool of distinct bodies; `shift` is that of `row`."""
        chance = Random(seed)
        return cls(run, model, [_tail(chance, model, shift) for _ in range(POOL)])

    def key(self, pair: int) -> bytes:
        """The prediction id of a pair, in the form of a UUID."""
        return b"%08x-0000-4000-8000-%012x" % (pair, self.run)

    def prediction(self, pair: int, now: int) -> bytes:
        """The prediction of a pair, about 610 bytes; `now` in ms."""
        head = b'{"prediction_id":"%b","predicted_at":"%b",'
        return head % (self.key(pair), format_time(now).encode()) + self.tails[pair % POOL]

    def label(self, pair: int, now: int) -> bytes:
        """The label of a pair, about 130 bytes; nine in ten agree with the prediction's class."""
        label = CLASSES[pair % 3] if pair % 10 else CLASSES[(pair + 1) % 3]
        text = b'{"prediction_id":"%b","model":"%b","label":"%b","labelled_at":"%b"}'
        return text % (
            self.key(pair), self.model.encode(), label.encode(), format_time(now).encode(),
        )  # fmt: skip


def _tail(chance: Random, model: str, shift: float) -> bytes:
    rest = {
        "model": model,
        "model_version": VERSION,
        "features": row(chance, shift),
        "prediction": chance.choice(CLASSES),
    }
    return orjson.dumps(rest)[1:]


def write_spec(folder: Path, model: str = MODEL, seed: int = 1) -> Path:
    """The specification of a model, and reference rows beside it, for all models the same."""
    chance = Random(seed)
    with (folder / "reference.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*NUMERIC, *CATEGORICAL, "class"])
        writer.writeheader()
        for _ in range(REFERENCE_ROWS):
            writer.writerow({**row(chance), "class": chance.choice(CLASSES)})
    features = [f"  - {{name: {name}, kind: numeric}}" for name in NUMERIC]
    features += [f"  - {{name: {name}, kind: categorical}}" for name in CATEGORICAL]
    spec = folder / f"{model}.yaml"
    spec.write_text(
        f"model: {model}\ntask: multiclass\nfeatures:\n" + "\n".join(features) + "\n"
        "reference: {file: reference.csv, prediction: class}\n",
        encoding="utf-8",
    )
    return spec
