"""Which version does a rollback bring back? Pure."""

from array import array
from dataclasses import dataclass, field
from typing import NamedTuple

from driftline.core.registry.version_list import VersionList


class Served(NamedTuple):
    """A version that served, and its lineage."""

    version_id: str
    lineage: str


@dataclass(slots=True)
class Promotions:
    """The lineages that took over from each other, each by the newest of its versions that served.

    A promotion of another lineage goes on top; a newer version of the same replaces the top; a
    rollback takes away what is above the version that it brings back. So a second rollback goes
    further back and never forward to what the first one took away.
    """

    versions: VersionList
    stack: list[Served] = field(default_factory=list)
    _in_order: "array[int]" = field(default_factory=lambda: array("I"))  # places, as they served
    _served: bytearray = field(default_factory=bytearray)  # by place

    def promote(self, version_id: str, lineage: str) -> None:
        """A version takes over."""
        self._note(version_id)
        if self.stack and self.stack[-1].lineage == lineage:
            self.stack.pop()
        self.stack.append(Served(version_id, lineage))

    def take_back(self, version_id: str, lineage: str) -> None:
        """A version that served before serves again."""
        places = [i for i, served in enumerate(self.stack) if served.lineage == lineage]
        del self.stack[places[-1] if places else -1 :]
        self.stack.append(Served(version_id, lineage))

    @property
    def count(self) -> int:
        """How many versions ever served."""
        return len(self._in_order)

    def has_served(self, version_id: str) -> bool:
        """Whether the version ever did."""
        place = self.versions.place(version_id)
        return place is not None and place < len(self._served) and bool(self._served[place])

    def earlier(self) -> str | None:
        """What served before the present lineage took over; else its own version before this."""
        if len(self.stack) > 1:
            return self.stack[-2].version_id
        return self._earlier_of_the_same() if self.stack else None

    def _note(self, version_id: str) -> None:
        place = self.versions.place(version_id)
        if place is None or self.has_served(version_id):
            return
        self._in_order.append(place)
        self._served.extend(bytes(max(0, place + 1 - len(self._served))))
        self._served[place] = 1

    def _earlier_of_the_same(self) -> str | None:
        present = self.stack[-1]
        place = self.versions.place(present.version_id)
        newest_first = iter(reversed(self._in_order))
        if place is None or place not in newest_first:  # which stands just behind it then
            return None
        before = map(self.versions.at, newest_first)
        return next((v.version_id for v in before if v.lineage == present.lineage), None)
