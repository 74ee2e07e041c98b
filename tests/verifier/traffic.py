"""Traffic of production apps, made from a seed: mostly good, with a known share of everything odd.

The verifier recomputes from the topics what must come of it, so nothing here is ground truth.
"""

import heapq
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

import orjson

from tests.verifier.envelope import Json
from tests.verifier.murmur import partition_for
from tests.verifier.times import rfc3339

CLASSES = ("brick", "cement", "foliage", "grass", "path", "sky", "window")
COLOURS = ("red", "green", "blue", "amber", "teal")
PLACES = tuple(f"place {number:02d}" for number in range(40))
NUMERIC, CATEGORICAL, BOOLEAN = 15, 3, 2


class Event(NamedTuple):
    """One record to produce; `topic` is "predictions" or "labels"."""

    topic: str
    partition: int
    key: bytes
    value: bytes | None


@cache
def _kinds(model: str) -> dict[str, str]:
    sizes = {"numeric": NUMERIC, "categorical": CATEGORICAL, "boolean": BOOLEAN}
    return {
        f"{model}_{kind}_{number}": kind for kind, size in sizes.items() for number in range(size)
    }


@dataclass(frozen=True, slots=True)
class Model:
    """A model that predicts classes from 20 features, which no other model shares."""

    name: str
    versions: tuple[str, ...] = ("v1",)

    def kinds(self) -> dict[str, str]:
        """Kind of each feature, as a spec lists them."""
        return dict(_kinds(self.name))

    def features(self, chance: random.Random) -> Json:
        """One row; a value in a hundred is null."""
        gauss = chance.gauss
        values: list[Any] = [round(gauss(number, 1 + number), 4) for number in range(NUMERIC)]
        values += [chance.choice(COLOURS), chance.choice(COLOURS)]
        values.append(PLACES[int(len(PLACES) * chance.random() ** 2)])
        values += [chance.random() < 0.3, chance.random() < 0.5]
        if chance.random() < 0.2:
            values[chance.randrange(len(values))] = None
        return dict(zip(_kinds(self.name), values, strict=True))


@dataclass(frozen=True, slots=True)
class Shares:
    """Share of each oddity among all pairs; a pair has one at most."""

    repeated_prediction: float = 0.005
    repeated_label: float = 0.005
    conflicting_prediction: float = 0.001
    corrected: float = 0.01
    misplaced_prediction: float = 0.005
    misplaced_label: float = 0.005
    label_first: float = 0.01
    never_labelled: float = 0.01
    no_prediction: float = 0.002
    far_ahead: float = 0.002  # predicted_at an hour after now
    far_behind: float = 0.002  # predicted_at thirty days before now
    odd_feature: float = 0.005

    def draw(self, chance: random.Random) -> str:
        """The oddity of one pair; "" for none."""
        left = chance.random()
        for name in self.__dataclass_fields__:
            left -= getattr(self, name)
            if left < 0:
                return name
        return ""


@dataclass(slots=True)
class _Schedule:
    """Events in the order of the row at which each is due."""

    waiting: list[tuple[int, int, Event]] = field(default_factory=list)
    added: int = 0

    def add(self, row: int, event: Event) -> None:
        heapq.heappush(self.waiting, (row, self.added, event))
        self.added += 1

    def take(self, row: int | None = None) -> Iterator[Event]:
        """What is due up to `row`; all that is left without one."""
        while self.waiting and (row is None or self.waiting[0][0] <= row):
            yield heapq.heappop(self.waiting)[2]


@dataclass(frozen=True, slots=True)
class Traffic:
    """N pairs for some models in turn. Same fields, same events, byte for byte.

    `start` (milliseconds) and `step_ms` are those of `predicted_at`; a label comes `delay` rows
    after its prediction.
    """

    seed: int
    pairs: int
    models: tuple[Model, ...]
    partitions: int
    start: int
    step_ms: float = 1.0
    delay: int = 100
    shares: Shares = Shares()

    def __iter__(self) -> Iterator[Event]:
        chance, schedule = random.Random(self.seed), _Schedule()
        for row in range(self.pairs):
            pair = self._pair(row, chance)
            pair.schedule(row, self.delay, schedule)
            yield from schedule.take(row)
        yield from schedule.take()

    def _pair(self, row: int, chance: random.Random) -> "_Pair":
        model = self.models[row % len(self.models)]
        oddity = self.shares.draw(chance)
        predicted_at = self.start + int(row * self.step_ms)
        predicted_at += {"far_ahead": 3_600_000, "far_behind": -30 * 86_400_000}.get(oddity, 0)
        prediction: Json = {
            "prediction_id": _uuid(chance),
            "model": model.name,
            "model_version": chance.choice(model.versions),
            "predicted_at": rfc3339(predicted_at),
            "features": model.features(chance),
            "prediction": chance.choice(CLASSES),
            "entity_id": f"customer {row % 977}",  # optional and unknown fields are passed on
            "trace": {"row": row},
        }
        if oddity == "odd_feature":
            spoil(prediction, model, chance.randrange(len(ODDITIES)))
        right = chance.random() < 0.85
        label: Json = {
            "prediction_id": prediction["prediction_id"],
            "model": model.name,
            "label": prediction["prediction"] if right else chance.choice(CLASSES),
            "labelled_at": rfc3339(predicted_at + int(self.delay * self.step_ms)),
        }
        return _Pair(oddity, prediction, label, self.partitions)


@dataclass(frozen=True, slots=True)
class _Pair:
    oddity: str
    prediction: Json
    label: Json
    partitions: int

    def schedule(self, row: int, delay: int, schedule: _Schedule) -> None:
        """Plans what is sent of this pair, and when."""
        first, second = row, row + delay
        if self.oddity == "label_first":
            first, second = second, first
        if self.oddity != "no_prediction":
            schedule.add(first, self.event("predictions", self.prediction))
        if self.oddity != "never_labelled":
            schedule.add(second, self.event("labels", self.label))
        if self.oddity == "repeated_prediction":
            # An even row's repeat comes before the label, an odd row's after it.
            schedule.add(
                row + delay // 2 + row % 2 * delay, self.event("predictions", self.prediction)
            )
        if self.oddity == "conflicting_prediction":
            other = self.prediction | {"prediction": f"{self.prediction['prediction']}?"}
            schedule.add(row + delay // 2, self.event("predictions", other))
        if self.oddity == "repeated_label":
            schedule.add(second + delay // 2, self.event("labels", self.label))
        if self.oddity == "corrected":
            self._schedule_corrections(row, second, delay, schedule)

    def _schedule_corrections(self, row: int, second: int, delay: int, schedule: _Schedule) -> None:
        """One correction; each third is confirmed by a repeat, then taken back by another."""
        other = self.label | {"label": f"{self.label['label']} after all"}
        schedule.add(second + delay // 2, self.event("labels", other))
        if row % 3 == 0:
            schedule.add(second + delay // 2 + 1, self.event("labels", other))
            schedule.add(second + delay, self.event("labels", self.label))

    def event(self, topic: str, document: Json) -> Event:
        """The record of one half, in its partition unless it is to be misplaced."""
        event = placed(topic, document, self.partitions)
        if self.oddity == f"misplaced_{topic.removesuffix('s')}":
            return event._replace(partition=(event.partition + 1) % self.partitions)
        return event


def placed(topic: str, document: Json, partitions: int) -> Event:
    """The record of a document, where its id belongs."""
    key = document["prediction_id"].encode()
    # A copy, since the encoder's own bytes hold several KB each, and some keep all events.
    value = bytes(memoryview(orjson.dumps(document)))
    return Event(topic, partition_for(key, partitions), key, value)


def reference_rows(model: Model, seed: int, rows: int) -> list[Json]:
    """Rows for a reference file: features, `prediction` and `label`, as the traffic has them."""
    chance = random.Random(seed)
    return [
        model.features(chance) | {"prediction": (name := chance.choice(CLASSES)), "label": name}
        for _ in range(rows)
    ]


def spoil(prediction: Json, model: Model, oddity: int) -> None:
    """Makes one feature invalid; the rest of the event stays good."""
    kind, value = ODDITIES[oddity]
    name = f"{model.name}_{kind}_0"
    prediction["features"][name] = value
    if value is None:
        prediction["nonfinite"] = [name]


# What is invalid in a feature; the SDK sends a number that is not finite as a null that it names.
ODDITIES: tuple[tuple[str, Any], ...] = (
    ("numeric", None),
    ("numeric", "a word"),
    ("numeric", True),
    ("numeric", [1, 2]),
    ("categorical", 7),
    ("categorical", "é" * 600),
    ("categorical", {"a": "b"}),
    ("boolean", "true"),
    ("boolean", 1),
)


def _uuid(chance: random.Random) -> str:
    digits = f"{chance.getrandbits(128):032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
