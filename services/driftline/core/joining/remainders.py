"""What stays of a joined pair, so that a later label can be told a repeat from a correction.

About 0.2 kB of memory a pair, for `repeat_window` after the first label.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from struct import Struct
from typing import NamedTuple

import orjson

from driftline.core.joining.envelope import Value

_FIXED = Struct("<qqqqQ")


class Remainder(NamedTuple):
    """Positions and times (ms) of a joined pair, its outputs, and the label as it stands now."""

    prediction_offset: int
    label_offset: int
    label_time: int
    predicted_at: int
    body_hash: int
    model_version: str
    prediction: Value
    label: Value


def pack(remainder: Remainder) -> bytes:
    """A compact form, to keep and to store."""
    return _FIXED.pack(*remainder[:5]) + orjson.dumps(remainder[5:])


def unpack(packed: bytes) -> Remainder:
    """The remainder that `pack` made."""
    return Remainder(*_FIXED.unpack_from(packed), *orjson.loads(packed[_FIXED.size :]))


@dataclass(slots=True)
class Remainders:
    """The remainders of one partition by key hash, oldest first."""

    by_key: dict[int, bytes] = field(default_factory=dict)
    added: dict[int, bytes] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.by_key)

    def get(self, key: int) -> Remainder | None:
        """What stays of the pair under `key`."""
        packed = self.by_key.get(key)
        return unpack(packed) if packed else None

    def put(self, key: int, remainder: Remainder) -> None:
        """Keep, or replace after a correction."""
        self.by_key[key] = self.added[key] = pack(remainder)

    def restore(self, packed: Iterable[tuple[int, bytes]], since: int) -> None:
        """Take back what the store kept, leaving out first labels from before `since` (ms)."""
        for key, value in packed:
            if _label_time(value) >= since:
                self.by_key[key] = value

    def forget(self, before: int) -> None:
        """Drop from the oldest end first labels from before `before` (ms)."""
        old: list[int] = []
        for key, packed in self.by_key.items():
            if _label_time(packed) >= before:
                break
            old.append(key)
        for key in old:
            del self.by_key[key]


def _label_time(packed: bytes) -> int:
    return int.from_bytes(packed[16:24], "little", signed=True)
