"""One pipeline learning the journal again, and what it would have said at any time."""

from collections import deque
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Any, NamedTuple

from tests.verifier.learning.rows import Features
from tests.verifier.learning.state_hash import state_hash

NEWEST = 16
LAST = 200
Place = tuple[str, int, int]  # lineage, first and last offset: names a version
ZERO_DELAY_EVERY = 10  # of so many labels, one is also predicted just before it is learned


@dataclass(slots=True)
class Version:
    """A state that existed for predictions asked later than `time` (ms). `first` and `last` are the
    journal's offsets that it learned."""

    lineage: str
    kinds: Mapping[str, str]  # of its features
    recipe: dict[str, Any]  # what it is made of, but for code and environment
    number: int
    first: int
    last: int
    time: int
    labels: int
    state_hash: str
    model: Any = field(repr=False)
    metrics: dict[str, float]

    @property
    def place(self) -> Place:
        """What names it."""
        return self.lineage, self.first, self.last


class AsOf(NamedTuple):
    """What a lineage would have predicted, and by which of its versions."""

    prediction: Any
    version: Version


@dataclass(slots=True)
class Tally:
    """Mean over what was counted, and over its last 200: accuracy, or absolute error."""

    n: int = 0
    total: float = 0.0
    unusable: int = 0
    last: deque[float] = field(default_factory=lambda: deque(maxlen=LAST))

    def add(self, prediction: Any, label: Any, *, numeric: bool) -> None:
        """One label."""
        if not numeric:
            value = float(prediction == label)
        elif prediction is None or not abs(prediction - label) <= 1e12:
            self.unusable += 1
            return
        else:
            value = abs(prediction - label)
        self.n += 1
        self.total += value
        self.last.append(value)

    def figures(self, metric: str) -> dict[str, float]:
        """As a version's fact has them."""
        found: dict[str, float] = {}
        if self.n:
            found[metric] = self.mean
            found[f"{metric}_last_{LAST}"] = sum(self.last) / len(self.last)
        return found

    @property
    def mean(self) -> float:
        """NaN of nothing."""
        return self.total / self.n if self.n else float("nan")


@dataclass(slots=True)
class Lineage:
    """A pipeline with its versions, oldest first. A frozen one does not learn; a copy is a frozen
    one of a version that left. `origin`, `spec_hash` and `seeds` belong to its recipe."""

    name: str
    pipeline: str
    definition: bytes
    kinds: Mapping[str, str]
    model: Any
    numeric: bool
    horizon: int
    first: int
    last: int
    time: int
    every: int
    frozen: bool = False
    is_copy: bool = False
    origin: dict[str, Any] | None = None
    spec_hash: str = ""
    seeds: dict[str, int] = field(default_factory=dict)
    labels: int = 0
    broken: bool = False
    too_early: int = 0
    kept: list[Version] = field(default_factory=list)
    as_of: Tally = field(default_factory=Tally)
    zero_delay: Tally = field(default_factory=Tally)

    def score(self, features: Features, label: Any, asked_at: int) -> AsOf | None:
        """What the newest version that existed before `asked_at` (ms) says."""
        older = [version for version in self.kept if version.time < asked_at]
        if not older:
            self.too_early += 1
            return None
        prediction = predicted(older[-1].model, features, numeric=self.numeric)
        self.as_of.add(prediction, label, numeric=self.numeric)
        return AsOf(prediction, older[-1])

    def learn(self, offset: int, features: Features, label: Any, label_ts: int) -> Version | None:
        """Learn a record; the version that was due then."""
        if self.frozen or self.broken:
            return None
        if self.labels % ZERO_DELAY_EVERY == 0:
            said = predicted(self.model, features, numeric=self.numeric)
            self.zero_delay.add(said, label, numeric=self.numeric)
        try:
            self.model.learn_one(features, label)
        except Exception:  # noqa: BLE001 - the same record stops the service's pipeline
            self.broken = True
            return None
        self.last, self.time = offset, max(self.time, label_ts)
        self.labels += 1
        return self.cut() if self.labels % self.every == 0 else None

    def cut(self) -> Version:
        """A version of the state now; the newest again if nothing was learned since."""
        if self.kept and (self.broken or self.kept[-1].labels == self.labels):
            return self.kept[-1]
        number = self.kept[-1].number + 1 if self.kept else 0
        recipe = {
            "pipeline": self.pipeline, "spec_hash": self.spec_hash, "seeds": self.seeds,
            "origin": self.origin,
        }  # fmt: skip
        version = Version(
            self.name, self.kinds, recipe, number, self.first, self.last, self.time, self.labels,
            state_hash(self.model), deepcopy(self.model), self.figures(),
        )  # fmt: skip
        self.kept = self._keep(version)
        return version

    def figures(self) -> dict[str, float]:
        """How good it was, by name: when asked as of each prediction, and just before it learned
        the label, which flatters where labels are late."""
        metric = "mae" if self.numeric else "accuracy"
        return {
            **self.as_of.figures(f"as_of_{metric}"),
            **self.zero_delay.figures(f"prequential_zero_delay_{metric}"),
        }

    def all_figures(self) -> dict[str, float]:
        """What the learner publishes of it."""
        newest = self.kept[-1].number
        return {
            **self.figures(), "too_early": self.too_early, "learned": self.labels,
            "versions": newest + 1,
        }  # fmt: skip

    def copy_of(self, version: Version, name: str, version_id: str) -> "Lineage":
        """A frozen lineage that begins and ends with this version of it."""
        return replace(
            self, name=name, model=version.model, first=version.first, last=version.last,
            time=version.time, labels=version.labels, frozen=True, is_copy=True,
            origin={"version": version_id}, kept=[], too_early=0, broken=False,
            as_of=Tally(), zero_delay=Tally(),
        )  # fmt: skip

    def _keep(self, newest: Version) -> list[Version]:
        kept = [v for v in self.kept if is_kept(v.number, newest.number)] + [newest]
        unreachable = [v for v in kept if v.time < newest.time - self.horizon][:-1]
        return kept[len(unreachable) :]


def is_kept(number: int, newest: int) -> bool:
    """The newest 16; of those 16 to 31 older each second, of those 32 to 63 older each fourth..."""
    age, step = newest - number, 1
    while age >= NEWEST * step:
        step *= 2
    return number % step == 0


def predicted(model: Any, features: Features, *, numeric: bool) -> Any:
    """A class as text, or a finite number; None for anything else, and where the model fails."""
    try:
        said = model.predict_one(features)
    except Exception:  # noqa: BLE001 - such a row has no prediction
        return None
    if not numeric:
        return None if said is None else str(said)
    return float(said) if isinstance(said, int | float) and isfinite(said) else None
