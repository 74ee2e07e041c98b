"""All versions of a model: there may be millions, and every reader of the registry has them. Pure.

Of old ones little more is kept than what their hashes take: in blocks, compressed together. The
facts themselves lie in the log.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final
from zlib import compress, decompress

import orjson

from driftline.core.registry.id_index import IdIndex
from driftline_schemas.registry import Fact, ModelUpdated

BLOCK: Final = 32  # versions that are compressed together
UNPACKED: Final = 8  # blocks that were read last, of all models
DERIVED: Final = frozenset({"name", "deployed"})  # not kept of a fact's body


@dataclass(frozen=True, slots=True)
class Version:
    """A registered version: what people call it, and its recipe."""

    version_id: str
    model: str
    pipeline: str
    number: int  # 1, 2, ... within its pipeline
    lineage: str
    fact_seq: int
    body: Mapping[str, Any] = field(repr=False, compare=False)  # of the fact

    @classmethod
    def of(cls, fact_seq: int, body: Mapping[str, Any]) -> "Version":
        """The version that a fact registers."""
        return cls(
            body["version_id"], body["model"], body["pipeline"], int(body["number"]),
            body["lineage"], fact_seq, body,
        )  # fmt: skip

    @property
    def recipe(self) -> ModelUpdated:
        """What made it; read for whoever asks."""
        return ModelUpdated.model_validate(self.body)

    @property
    def name(self) -> str:
        """`model/pipeline/v12`."""
        return f"{self.model}/{self.pipeline}/v{self.number}"


@dataclass(slots=True)
class VersionList(Mapping[str, Version]):
    """The versions of one model by id, oldest first; the place of one is how many there were
    before it."""

    _blocks: list[bytes] = field(default_factory=list)
    _rows: list[bytes] = field(default_factory=list)  # the newest, which fill no block yet
    _places: IdIndex = field(default_factory=IdIndex)  # by version_id
    _by_pipeline: dict[str, "array[int]"] = field(default_factory=dict)  # places
    _lineages: set[str] = field(default_factory=set)

    def __len__(self) -> int:
        return len(self._blocks) * BLOCK + len(self._rows)

    def __iter__(self) -> Iterator[str]:
        return (version.version_id for version in self.between(0, len(self)))

    def __getitem__(self, version_id: str) -> Version:
        if (place := self.place(version_id)) is None:
            raise KeyError(version_id)
        return self.at(place)

    def place(self, version_id: str) -> int | None:
        """Where the version of this id is."""
        return self._places.get(version_id)

    def at(self, place: int) -> Version:
        """The version at a place."""
        block, row = divmod(place, BLOCK)
        rows = _unpacked(self._blocks[block]) if block < len(self._blocks) else self._rows
        seq, body = orjson.loads(rows[row])
        return Version.of(seq, body)

    def between(self, first: int, end: int) -> Iterator[Version]:
        """The versions at the places from `first` up to `end`."""
        return map(self.at, range(first, end))

    def newest(self, most: int, before: int | None = None) -> list[Version]:
        """At most so many, oldest first, of those that became facts before that one."""
        end = len(self) if before is None else self.until(before)
        return list(self.between(max(0, end - most), end))

    def until(self, fact_seq: int) -> int:
        """How many became facts before this one."""
        return bisect_left(range(len(self)), fact_seq, key=lambda place: self.at(place).fact_seq)

    def numbered(self, pipeline: str, number: int) -> Version | None:
        """The version of this number within its pipeline."""
        places = self._by_pipeline.get(pipeline, array("I"))
        at = bisect_left(places, number, key=lambda place: self.at(place).number)
        found = self.at(places[at]) if at < len(places) else None
        return found if found is not None and found.number == number else None

    def has_lineage(self, lineage: str) -> bool:
        """Whether any version is of it."""
        return lineage in self._lineages

    def register(self, fact: Fact) -> Version:
        """A version joins the list. Raises where its fact cannot be taken in."""
        ModelUpdated.model_validate(fact.body)
        kept = {key: part for key, part in fact.body.items() if key not in DERIVED}
        version = Version.of(fact.seq, kept)
        self._by_pipeline.setdefault(version.pipeline, array("I")).append(len(self))
        self._places.add(version.version_id, len(self))
        self._lineages.add(version.lineage)
        if len(self._rows) == BLOCK:  # not sooner: the newest version is asked for at once
            self._blocks.append(compress(b"\n".join(self._rows)))
            self._rows.clear()
        row = orjson.dumps([fact.seq, kept])
        self._rows.append(bytes(memoryview(row)))  # a copy: what orjson gives holds 8 KB and more
        return version


@lru_cache(maxsize=UNPACKED)
def _unpacked(block: bytes) -> list[bytes]:
    return decompress(block).split(b"\n")
