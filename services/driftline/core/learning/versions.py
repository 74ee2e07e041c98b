"""Which versions of a pipeline exist, and which one was the newest at a time?"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, NamedTuple, Protocol, Self

from driftline.core.learning.binary import OnlineModel
from driftline_schemas.codec import content_hash

NEWEST: Final = 16  # versions that are always kept


@dataclass(frozen=True, slots=True)
class Manifest:
    """What bytes of a model must turn out to be; `size` in bytes, `river` the release that wrote
    them: another one may read a pipeline without an error and fail at its first event."""

    sha256: str
    size: int
    state_hash: str
    river: str

    def row(self) -> dict[str, Any]:
        """As JSON types."""
        return asdict(self)


class Dumped(NamedTuple):
    """A model as bytes."""

    payload: bytes
    manifest: Manifest


class ModelCodec(Protocol):
    """How models become bytes and come back; the runtime has the one that does."""

    def dump(self, model: OnlineModel) -> Dumped:
        """Bytes of the model as it is now."""
        ...

    def load(self, payload: bytes, manifest: Manifest) -> OnlineModel:
        """The model of these bytes; raises if they are not what the manifest says."""
        ...


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that makes a version but the journal: the same recipe learns the same from it.

    `origin` says what the model knew before its first record: the hash of a file and the passes
    over it, a range of the journal, or the version that it goes on from.
    """

    model: str
    pipeline: str
    spec_hash: str
    seeds: Mapping[str, int]
    code: str
    environment: Mapping[str, str]
    origin: Mapping[str, Any] | None = None

    def version_id(self, offsets: tuple[int, int]) -> str:
        """Name of the version that learned the journal's records `offsets` (first, last; last =
        first - 1 for none)."""
        return content_hash({**asdict(self), "offsets": list(offsets)})


@dataclass(frozen=True, slots=True)
class Version:
    """A state of a pipeline. `time` (ms): it exists for predictions asked later than that; the
    largest append time of a label that it learned, or that of the record that began it."""

    number: int
    version_id: str
    offsets: tuple[int, int]
    time: int
    labels: int
    manifest: Manifest

    def row(self) -> dict[str, Any]:
        """As JSON types."""
        return asdict(self)

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """What `row` gave."""
        first, last = row["offsets"]
        return cls(**{**row, "offsets": (first, last), "manifest": Manifest(**row["manifest"])})


def is_kept(number: int, newest: int) -> bool:
    """The newest 16; of older ones fewer and fewer, so that some 16 remain of each doubling."""
    age = newest - number
    if age < NEWEST:
        return True
    return number % (1 << (age // NEWEST).bit_length()) == 0


@dataclass(slots=True)
class Shelf:
    """The kept versions of one pipeline, oldest first. Labels come at most `horizon_ms` after their
    prediction, so of the versions older than that only the newest is of use."""

    horizon_ms: int
    _versions: list[Version] = field(default_factory=list)
    _times: list[int] = field(init=False)  # theirs: each label asks for one

    def __post_init__(self) -> None:
        self._times = [version.time for version in self._versions]

    def __iter__(self) -> Iterator[Version]:
        return iter(self._versions)

    def __len__(self) -> int:
        return len(self._versions)

    @property
    def newest(self) -> Version:
        """The last one. Raises IndexError while there is none."""
        return self._versions[-1]

    def add(self, version: Version) -> None:
        """Put up a version that is newer than all; older ones go by the rule."""
        kept = [v for v in self._versions if is_kept(v.number, version.number)]
        self._versions = [*kept, version]
        self._times = [v.time for v in self._versions]
        reachable = max(self._index_before(version.time - self.horizon_ms), 0)
        del self._versions[:reachable], self._times[:reachable]

    def before(self, time: int) -> Version | None:
        """The newest version that existed strictly before `time` (ms)."""
        index = self._index_before(time)
        return None if index < 0 else self._versions[index]

    def _index_before(self, time: int) -> int:
        return bisect_left(self._times, time) - 1
