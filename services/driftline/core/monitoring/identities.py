"""Was the record of this label folded before?

A replay or a frozen worker writes records of the journal twice. Each label makes at most one of
them (`joined` or `correction`), so its position identifies it. Positions are remembered for one to
two hours of the journal: no worker writes further back than one hour.
"""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pyroaring import BitMap64

from driftline_schemas.fields import TopicPosition

HOUR_MS: Final = 3_600_000

Positions = dict[int, BitMap64]  # offsets by label partition


@dataclass(slots=True)
class LabelIdentities:
    """Label positions of this hour of the journal, and of the hour before."""

    _hour: int = 0
    _now: Positions = field(default_factory=dict)
    _before: Positions = field(default_factory=dict)

    def advance(self, journal_time: int) -> None:
        """The journal has come to this append time (ms)."""
        if (hour := journal_time // HOUR_MS) > self._hour:
            self._hour, self._before, self._now = hour, self._now, {}

    def is_new(self, position: TopicPosition) -> bool:
        """True the first time that a position is asked for; it is remembered."""
        partition, offset = position
        now = self._now.get(partition)
        if now is None:
            now = self._now[partition] = BitMap64()
        if offset in now or offset in self._before.get(partition, ()):
            return False
        now.add(offset)
        return True

    def snapshot(self) -> dict[str, Any]:
        """The state as JSON types."""
        return {"hour": self._hour, "now": _packed(self._now), "before": _packed(self._before)}

    @classmethod
    def restore(cls, snapshot: Mapping[str, Any]) -> "LabelIdentities":
        """The state that `snapshot` gave."""
        return cls(snapshot["hour"], _unpacked(snapshot["now"]), _unpacked(snapshot["before"]))


def _packed(positions: Positions) -> dict[str, str]:
    return {str(p): b64encode(offsets.serialize()).decode() for p, offsets in positions.items()}


def _unpacked(packed: Mapping[str, str]) -> Positions:
    return {int(p): BitMap64.deserialize(b64decode(bits)) for p, bits in packed.items()}
