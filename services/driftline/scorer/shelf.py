"""Which versions of a model stay in memory? Pure."""

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, field

from driftline.scorer.ready import Ready


@dataclass(slots=True)
class Shelf:
    """The `most` versions that were used last, and whatever must not go."""

    most: int
    _kept: OrderedDict[str, Ready] = field(default_factory=OrderedDict)

    def __contains__(self, version_id: str) -> bool:
        return version_id in self._kept

    def get(self, version_id: str) -> Ready | None:
        """A version that is still warm; it counts as used."""
        ready = self._kept.get(version_id)
        if ready is not None:
            self._kept.move_to_end(version_id)
        return ready

    def put(self, ready: Ready, never: Collection[str | None]) -> None:
        """Keep it; those used longest ago go, but none of `never`."""
        version_id = ready.version.version_id
        self._kept[version_id] = ready
        self._kept.move_to_end(version_id)
        for old in list(self._kept):
            if len(self._kept) <= self.most:
                return
            if old not in never and old != version_id:
                del self._kept[old]

    def names(self) -> list[str]:
        """What is warm, used longest ago first."""
        return [ready.version.name for ready in self._kept.values()]
