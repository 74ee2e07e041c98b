"""The usual answers of a partition state, to inherit from."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Mapping, Sequence
from typing import Generic

from driftline.runtime.ports import Payload, Record


class BasicState(ABC, Generic[Payload]):
    """A state that needs nothing from outside and whose checkpoint is its whole self."""

    async def prepare(self, topic: str, records: Sequence[Record]) -> None:
        """Nothing is fetched."""

    @abstractmethod
    def apply(self, topic: str, records: Sequence[Record]) -> Awaitable[None] | None:
        """Fold the records in."""

    def start(self, offsets: Mapping[str, int]) -> Mapping[str, int]:
        """Reading goes on where the last checkpoint stood."""
        return offsets

    def changed(self) -> bool:
        """Nothing changes without a record."""
        return False

    def offsets(self, read: Mapping[str, int]) -> Mapping[str, int]:
        """A checkpoint stands for all that was read."""
        return read

    def ready(self) -> bool:
        """Always whole."""
        return True

    def due(self) -> bool:
        """A checkpoint costs little."""
        return True

    def busy_at(self) -> int:
        """Nothing takes long."""
        return 0

    @abstractmethod
    def cut(self) -> Payload | Awaitable[Payload]:
        """Freeze what is to be saved."""

    def full(self) -> bool:
        """Checkpoints come by time only."""
        return False

    def saved(self) -> bool:
        """Nothing is left over."""
        return False
