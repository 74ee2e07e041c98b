"""How far has the input come, in all of its partitions?"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class InputTimes:
    """The highest time (ms) that a mark has told of each of the `partitions` input partitions."""

    partitions: int
    _times: dict[int, int] = field(default_factory=dict)

    def mark(self, times: Mapping[int, int]) -> None:
        """Take a mark in; it tells of some partitions only, and may be an old one."""
        for partition, time in times.items():
            self._times[partition] = max(time, self._times.get(partition, time))

    @property
    def passed(self) -> int | None:
        """The time (ms) that every partition has come to; None while one was never heard of."""
        heard = [self._times.get(partition) for partition in range(self.partitions)]
        known = [time for time in heard if time is not None]
        return min(known) if len(known) == self.partitions else None

    def snapshot(self) -> dict[str, int]:
        """The state as JSON types."""
        return {str(partition): time for partition, time in self._times.items()}

    @classmethod
    def restore(cls, partitions: int, snapshot: Mapping[str, Any]) -> "InputTimes":
        """The state that `snapshot` gave."""
        return cls(partitions, {int(partition): time for partition, time in snapshot.items()})
