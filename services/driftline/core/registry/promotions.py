"""Which version does a rollback bring back? Pure."""

from dataclasses import dataclass, field
from typing import NamedTuple


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

    stack: list[Served] = field(default_factory=list)
    served: dict[str, str] = field(default_factory=dict)  # version_id -> lineage, in order

    def promote(self, version_id: str, lineage: str) -> None:
        """A version takes over."""
        self.served[version_id] = lineage
        if self.stack and self.stack[-1].lineage == lineage:
            self.stack.pop()
        self.stack.append(Served(version_id, lineage))

    def take_back(self, version_id: str, lineage: str) -> None:
        """A version that served before serves again."""
        places = [i for i, served in enumerate(self.stack) if served.lineage == lineage]
        del self.stack[places[-1] if places else -1 :]
        self.stack.append(Served(version_id, lineage))

    def earlier(self) -> str | None:
        """What served before the present lineage took over; else its own version before this."""
        if len(self.stack) > 1:
            return self.stack[-2].version_id
        return self._earlier_of_the_same() if self.stack else None

    def _earlier_of_the_same(self) -> str | None:
        present = self.stack[-1]
        found = None
        for version_id, lineage in self.served.items():
            if version_id == present.version_id:
                break
            found = version_id if lineage == present.lineage else found
        return found
