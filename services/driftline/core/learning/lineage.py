"""What does one pipeline learn from the journal, and what would it have predicted when asked?

A lineage is a pipeline with all its versions. Each joined record is first scored by the newest kept
version that existed before the prediction was asked for, then learned. Corrections are not learned.
A version of every `version_every` labels is written at once: its bytes are what is scored later,
deployed, and checked.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Final, NamedTuple, Protocol, Self

from driftline.core.learning.binary import OnlineModel, class_of
from driftline.core.learning.features import Features
from driftline.core.learning.figures import LineageFigures
from driftline.core.learning.versions import (
    Dumped,
    Manifest,
    ModelCodec,
    Recipe,
    Shelf,
    Version,
)
from driftline_schemas.fields import Output
from driftline_schemas.spec import Task

LOADED: Final = 4  # versions kept ready to predict; late labels ask for two or three


class Example(NamedTuple):
    """A joined record: `features` canonical, `asked_at` the earlier of predicted_at and
    prediction_ts, both times in ms; `offset` its place in the journal."""

    offset: int
    features: Features
    label: Output
    asked_at: int
    label_ts: int


class AsOf(NamedTuple):
    """What the lineage would have predicted; None where it had nothing to say."""

    prediction: Output | None
    version: Version


class Step(NamedTuple):
    """What one example led to: a score, unless it is older than the first version, and a version
    where one was due."""

    score: AsOf | None
    version: Version | None


@dataclass(frozen=True, slots=True)
class LineagePolicy:
    """`learns`: False for an archived champion, which is only judged. `zero_delay_every`: of so
    many labels one is also predicted just before it is learned; 0: none. Costs a prediction."""

    task: Task
    horizon_ms: int
    version_every: int = 50
    learns: bool = True
    zero_delay_every: int = 1


@dataclass(frozen=True, slots=True)
class LineageSnapshot:
    """A lineage as JSON types, and the bytes of its models by sha256."""

    manifest: dict[str, Any]
    artifacts: dict[str, bytes]


class Payloads(Protocol):
    """Bytes by sha256."""

    def __getitem__(self, digest: str, /) -> bytes: ...


@dataclass(slots=True)
class Lineage:
    """One pipeline. `broken` says why it stopped learning: one of them failing stops no other."""

    recipe: Recipe
    policy: LineagePolicy
    codec: ModelCodec
    model: OnlineModel
    shelf: Shelf
    figures: LineageFigures
    first: int  # journal offset that it began at
    last: int  # of the last record that it learned
    time: int  # ms; the largest label_ts that it learned, at least when it began
    labels: int = 0
    broken: str | None = None
    _payloads: dict[str, bytes] = field(default_factory=dict)
    _loaded: dict[str, OnlineModel] = field(default_factory=dict)
    _live: tuple[int, Dumped] | None = None  # the last one written for a snapshot, by labels

    @classmethod
    def begin(
        cls,
        recipe: Recipe,
        policy: LineagePolicy,
        codec: ModelCodec,
        model: OnlineModel,
        *,
        offset: int,
        time: int,
    ) -> Self:
        """Learn from the journal's record `offset` on, known since `time` (ms) as version 0."""
        figures = LineageFigures.of(policy.task)
        shelf = Shelf(policy.horizon_ms)
        lineage = cls(
            recipe, policy, codec, model, shelf, figures, offset, offset - 1, time
        )  # fmt: skip
        lineage.cut()
        return lineage

    @classmethod
    def archived(
        cls,
        recipe: Recipe,
        policy: LineagePolicy,
        codec: ModelCodec,
        version: Version,
        payload: bytes,
    ) -> Self:
        """A former champion as it left: judged, never learning. Give a policy that says so."""
        first, last = version.offsets
        return cls(
            recipe, policy, codec, codec.load(payload, version.manifest),
            Shelf(policy.horizon_ms, [version]), LineageFigures.of(policy.task),
            first, last, version.time, version.labels,
            _payloads={version.manifest.sha256: payload},
        )  # fmt: skip

    def step(self, example: Example) -> Step:
        """Score a joined record by what was known when it was asked for, then learn it."""
        score = self._score(example)
        learns = self.policy.learns and self.broken is None
        return Step(score, self._learn(example) if learns else None)

    def _score(self, example: Example) -> AsOf | None:
        version = self.shelf.before(example.asked_at)
        if version is None:
            self.figures.too_early += 1
            return None
        try:
            model = self.loaded(version)
        except Exception as error:  # noqa: BLE001 - of its own bytes: whatever it is, only it stops
            self.broken = f"cannot read version {version.number} again: {error!r}"
            return None
        prediction = self._predicted(model, example.features)
        self.figures.as_of.add(prediction, example.label)
        return AsOf(prediction, version)

    def _predicted(self, model: OnlineModel, features: Features) -> Output | None:
        if self.policy.task != "regression":
            return class_of(model, features)
        try:
            prediction = model.predict_one(features)
        except Exception:  # noqa: BLE001 - a model that fails at a row has no prediction for it
            return None
        usable = isinstance(prediction, int | float) and isfinite(prediction)
        return float(prediction) if usable else None

    def _learn(self, example: Example) -> Version | None:
        if (every := self.policy.zero_delay_every) and self.labels % every == 0:
            prediction = self._predicted(self.model, example.features)
            self.figures.zero_delay.add(prediction, example.label)
        try:
            self.model.learn_one(example.features, example.label)
        except Exception as error:  # noqa: BLE001 - River on any data raises anything
            self.broken = f"cannot learn record {example.offset}: {error!r}"
            return None
        self.last, self.time = example.offset, max(self.time, example.label_ts)
        self.labels += 1
        return self.cut_unless_broken() if self.labels % self.policy.version_every == 0 else None

    def cut_unless_broken(self) -> Version | None:
        """As `cut`; None where the model cannot be written, which breaks the lineage."""
        try:
            return self.cut()
        except Exception as error:  # noqa: BLE001 - River's objects are written by any code
            self.broken = f"cannot write a version after record {self.last}: {error!r}"
            return None

    def cut(self) -> Version:
        """The state now as a version: after every so many labels, and on a control record. The
        newest again if nothing was learned since."""
        if len(self.shelf) and (self.broken or self.shelf.newest.labels == self.labels):
            return self.shelf.newest
        dumped = self.codec.dump(self.model)
        number = self.shelf.newest.number + 1 if len(self.shelf) else 0
        offsets = self.first, self.last
        version = Version(
            number, self.recipe.version_id(offsets), offsets, self.time, self.labels,
            dumped.manifest,
        )  # fmt: skip
        self._payloads[dumped.manifest.sha256] = dumped.payload
        self.shelf.add(version)
        self._forget()
        return version

    def go_on_by(self, recipe: Recipe) -> None:
        """What is learned from now on is by another recipe, which begins with the next record."""
        self.recipe, self.first = recipe, self.last + 1

    def payload(self, version: Version) -> bytes:
        """Bytes of a kept version. Raises KeyError for one that is no longer kept."""
        return self._payloads[version.manifest.sha256]

    def loaded(self, version: Version) -> OnlineModel:
        """A kept version, ready to predict."""
        digest = version.manifest.sha256
        if digest not in self._loaded:
            if len(self._loaded) >= LOADED:
                del self._loaded[next(iter(self._loaded))]
            self._loaded[digest] = self.codec.load(self._payloads[digest], version.manifest)
        return self._loaded[digest]

    def _forget(self) -> None:
        kept = {version.manifest.sha256 for version in self.shelf}
        for digest in [digest for digest in self._payloads if digest not in kept]:
            del self._payloads[digest]
            self._loaded.pop(digest, None)

    def snapshot(self) -> LineageSnapshot:
        """All of it. `restore` goes on identically."""
        dumped = self._dumped()
        manifest = {
            "recipe_id": self.recipe.version_id((self.first, self.first - 1)),
            "versions": [version.row() for version in self.shelf],
            "live": dumped.manifest.row(),
            "figures": self.figures.snapshot(),
            "place": [self.first, self.last, self.time, self.labels],
            "broken": self.broken,
        }
        artifacts = {**self._payloads, dumped.manifest.sha256: dumped.payload}
        return LineageSnapshot(manifest, artifacts)

    def _dumped(self) -> Dumped:
        newest = self.shelf.newest
        if newest.labels == self.labels and self.broken is None:  # nothing learned since
            return Dumped(self.payload(newest), newest.manifest)
        if self._live is None or self._live[0] != self.labels:
            try:
                self._live = self.labels, self.codec.dump(self.model)
            except Exception as error:  # noqa: BLE001 - others must be kept all the same
                self.broken = self.broken or f"cannot be written: {error!r}"
                return Dumped(self.payload(newest), newest.manifest)
        return self._live[1]

    @classmethod
    def restore(
        cls,
        recipe: Recipe,
        policy: LineagePolicy,
        codec: ModelCodec,
        manifest: Mapping[str, Any],
        artifacts: Payloads,
    ) -> Self:
        """The lineage that `snapshot` gave. Raises ValueError for one of another recipe, and what
        the codec raises for bytes that are not those."""
        first, last, time, labels = manifest["place"]
        if manifest["recipe_id"] != recipe.version_id((first, first - 1)):
            raise ValueError(f"the snapshot is not of pipeline {recipe.pipeline} as it is now")
        versions = [Version.of(row) for row in manifest["versions"]]
        live = Manifest(**manifest["live"])
        return cls(
            recipe,
            policy,
            codec,
            codec.load(artifacts[live.sha256], live),
            Shelf(policy.horizon_ms, versions),
            LineageFigures.restore(policy.task, manifest["figures"]),
            first,
            last,
            time,
            labels,
            manifest["broken"],
            {v.manifest.sha256: artifacts[v.manifest.sha256] for v in versions},
        )
