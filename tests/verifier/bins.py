"""Which bins were in force when, and into which bin does a value fall?"""

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Any

import orjson

from tests.verifier.envelope import Json
from tests.verifier.reading import Record
from tests.verifier.times import own_millis

TOP = 20
MAX_STRING_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Numeric:
    """Bins between edges, then missing, then invalid."""

    edges: list[float]

    @property
    def size(self) -> int:
        return len(self.edges) + 3

    def index(self, value: object) -> int:
        """The bin of a value; an edge belongs to the bin on its right."""
        if type(value) is float or (type(value) is int and -(2**63) <= value < 2**64):
            return bisect_right(self.edges, value)
        return len(self.edges) + 1 if value is None else self.invalid

    @property
    def invalid(self) -> int:
        return len(self.edges) + 2


@dataclass(frozen=True, slots=True)
class Categorical:
    """The most frequent categories, then other, new, missing, invalid."""

    positions: dict[str, int]

    @classmethod
    def of(cls, categories: list[str]) -> "Categorical":
        top = min(TOP, len(categories))
        return cls({name: min(at, top) for at, name in enumerate(categories)})

    @property
    def top(self) -> int:
        return min(TOP, len(self.positions))

    @property
    def size(self) -> int:
        return self.top + 4

    def index(self, value: object) -> int:
        """The bin of a value."""
        if value is None:
            return self.top + 2
        if not isinstance(value, str) or len(value.encode()) > MAX_STRING_BYTES:
            return self.invalid
        return self.positions.get(value, self.top + 1)

    @property
    def invalid(self) -> int:
        return self.top + 3


@dataclass(frozen=True, slots=True)
class Boolean:
    """False, true, missing, invalid."""

    size: int = 4
    invalid: int = 3

    def index(self, value: object) -> int:
        """The bin of a value."""
        if value is None:
            return 2
        return int(value) if isinstance(value, bool) else self.invalid


Bins = Numeric | Categorical | Boolean


@dataclass(frozen=True, slots=True)
class BinSet:
    """The bins of a model in force from `effective_from` (append time, milliseconds) on."""

    bins_id: str
    effective_from: int
    features: dict[str, Bins]
    prediction: Bins | None


@dataclass(slots=True)
class BinsHistory:
    """All bins that the registry ever put into force."""

    models: dict[str, list[BinSet]] = field(default_factory=dict)

    @classmethod
    def read(cls, registry: list[Record]) -> "BinsHistory":
        """From the registry's facts, in their order."""
        history = cls()
        for record in registry:
            fact = orjson.loads(record.value or b"{}")
            if fact.get("outcome", "accepted") == "accepted":
                history._learn(fact.get("body") or {})
        return history

    def _learn(self, body: Json) -> None:
        bins = body.get("bins") or (body if "bins_id" in body and "features" in body else None)
        if bins is None:
            return
        model = body.get("model") or bins.get("model") or body["spec"]["model"]
        sets = self.models.setdefault(model, [])
        sets.append(_bin_set(bins))
        sets.sort(key=lambda entry: entry.effective_from)  # stable: of equals the later fact wins

    def in_force(self, model: str, at: int) -> BinSet | None:
        """The newest bins in force at an append time; None before any."""
        sets = self.models.get(model, [])
        after = bisect_right(sets, at, key=lambda entry: entry.effective_from)
        return sets[after - 1] if after else None


def _bin_set(body: Json) -> BinSet:
    prediction = body.get("prediction")
    return BinSet(
        body["bins_id"],
        own_millis(body["effective_from"]),
        {name: _bins(entry) for name, entry in body["features"].items()},
        None if prediction is None else _bins(prediction),
    )


def _bins(entry: dict[str, Any]) -> Bins:
    if entry["kind"] == "numeric":
        return Numeric(entry["edges"])
    if entry["kind"] == "categorical":
        return Categorical.of(entry["categories"])
    return Boolean()
