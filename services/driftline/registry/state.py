"""The one partition of `registry-commands`: each record is brought before the owner."""

from collections.abc import Sequence
from dataclasses import dataclass

from driftline.registry.owner import Owner
from driftline.runtime.dead_letters import DeadLetters
from driftline.runtime.ports import TP, Record
from driftline.runtime.states import BasicState
from driftline_schemas.codec import UnreadableEvent, decode
from driftline_schemas.dead_letters import Reason
from driftline_schemas.registry import RegistryCommand


@dataclass(slots=True)
class CommandsState(BasicState[None]):
    """Keeps nothing of its own: the owner's state is the log of facts."""

    owner: Owner
    refused: DeadLetters
    partition: int
    _handled: int = 0  # commands since the last checkpoint

    async def prepare(self, topic: str, records: Sequence[Record]) -> None:
        """Decide on each. Here and not in `apply`, because the log has to be waited for.

        It may be repeated: what was decided is not decided again.
        """
        for record in records:
            try:
                command = decode(RegistryCommand, record.value)
            except UnreadableEvent as error:
                tp = TP(topic, self.partition)
                self.refused.put(_reason(record, error), str(error), tp, record)
            else:
                await self.owner.handle(command, record.timestamp)

    def apply(self, topic: str, records: Sequence[Record]) -> None:
        """Their facts are written."""
        self._handled += len(records)

    def full(self) -> bool:
        """A checkpoint after every batch: little is to be told again after a crash."""
        return self._handled > 0

    def cut(self) -> None:
        """Nothing is saved but the offset."""
        self._handled = 0


def _reason(record: Record, error: UnreadableEvent) -> Reason:
    if record.value is None:
        return "empty"
    return "invalid_json" if str(error).startswith("not JSON") else "invalid_field"
