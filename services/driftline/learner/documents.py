"""How is a partition's state written down? A small JSON document, and bytes in the artifact store.

Versions lie where they were published. Models between two versions, and documents of the topic
`checkpoints`, lie in a place of the partition's own, where nothing registered is, so that they may
be removed when they are superseded.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

import orjson

from driftline.core.learning.fold import LearningFold
from driftline.core.learning.surroundings import Surroundings
from driftline.runtime.models.artifacts import ArtifactStore

VERSION: Final = 1  # raise it when the fold keeps other things: states are then rebuilt


@dataclass(frozen=True, slots=True)
class Stores:
    """Where bytes lie: `versions` for ever, `passing` until they are superseded."""

    versions: ArtifactStore
    passing: ArtifactStore

    @classmethod
    def of(cls, url: str, prefix: str, partition: int) -> Self:
        """Those of a partition. Raises ArtifactError where fsspec cannot speak to the address."""
        root = url.rstrip("/")
        return cls(
            ArtifactStore.at(root), ArtifactStore.at(f"{root}/checkpoints/{prefix}/{partition}")
        )


@dataclass(frozen=True, slots=True)
class Bytes:
    """What a document refers to: sizes by sha256, of versions and of what is passing."""

    versions: Mapping[str, int]
    passing: Mapping[str, int]

    @classmethod
    def split(cls, artifacts: Mapping[str, bytes], versions: Iterable[str]) -> Self:
        """Bytes by sha256, told apart."""
        lasting = set(versions)
        sizes = {digest: len(payload) for digest, payload in artifacts.items()}
        return cls(
            {digest: size for digest, size in sizes.items() if digest in lasting},
            {digest: size for digest, size in sizes.items() if digest not in lasting},
        )

    @property
    def row(self) -> dict[str, Any]:
        """As JSON types."""
        return {"versions": dict(self.versions), "passing": dict(self.passing)}

    def read(self, stores: Stores) -> dict[str, bytes]:
        """All of them. Raises ArtifactError."""
        read: dict[str, bytes] = {}
        for store, sizes in ((stores.versions, self.versions), (stores.passing, self.passing)):
            for digest, size in sizes.items():
                read[digest] = store.get(store.place(digest, size))
        return read


@dataclass(frozen=True, slots=True)
class Document:
    """A checkpoint as it is stored. `pinned`: what the newest records of `checkpoints` refer to
    among what is passing; `told_at` (ms): when they were written."""

    time: int
    models: Sequence[Mapping[str, Any]]
    holds: Bytes
    pinned: tuple[str, ...] = ()
    told_at: int = 0

    def encoded(self) -> bytes:
        """As JSON."""
        return orjson.dumps(
            {
                "version": VERSION, "time": self.time, "models": self.models,
                "bytes": self.holds.row, "pinned": list(self.pinned), "told_at": self.told_at,
            }
        )  # fmt: skip

    @classmethod
    def decoded(cls, payload: bytes) -> Self:
        """Raises ValueError for one of another version, or for what is no document."""
        row = orjson.loads(payload)
        if row.get("version") != VERSION:
            raise ValueError(f"a state of version {row.get('version')}")
        sizes = Bytes(row["bytes"]["versions"], row["bytes"]["passing"])
        return cls(row["time"], row["models"], sizes, tuple(row["pinned"]), row["told_at"])

    def restore(self, around: Surroundings, stores: Stores) -> LearningFold:
        """The partition; blocking. Raises ValueError, ArtifactError, ModelRefusedError."""
        return LearningFold.restore(around, self.time, self.models, self.holds.read(stores))


@dataclass(frozen=True, slots=True)
class ModelDocument:
    """One model of a partition, as a record of `checkpoints` refers to it. `models` were there when
    it was written: a rebuild needs all of them."""

    model: Mapping[str, Any]
    holds: Bytes
    models: tuple[str, ...] = field(default_factory=tuple)

    def encoded(self) -> bytes:
        """As JSON."""
        return orjson.dumps(
            {
                "version": VERSION, "model": self.model, "bytes": self.holds.row,
                "models": list(self.models),
            }
        )  # fmt: skip

    @classmethod
    def decoded(cls, payload: bytes) -> Self:
        """Raises ValueError for one of another version, or for what is no document."""
        row = orjson.loads(payload)
        if row.get("version") != VERSION:
            raise ValueError(f"a model's state of version {row.get('version')}")
        sizes = Bytes(row["bytes"]["versions"], row["bytes"]["passing"])
        return cls(row["model"], sizes, tuple(row["models"]))
