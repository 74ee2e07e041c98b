"""Which verdicts had to be told to the registry?

One that is new, and again every 500 labels while it stays. A promotion against a deployment that
was replaced meanwhile is given again: at first after 25 labels, then after twice as many each time.
"""

from dataclasses import dataclass, field

from tests.verifier.learning.contest import EVERY, Evaluation
from tests.verifier.learning.lineages import Version

AGAIN = 500


@dataclass(frozen=True, slots=True)
class Sent:
    """A verdict that had to be told, and the version that it names."""

    entry: Evaluation
    version: Version
    labels: int
    patience: int


@dataclass(slots=True)
class Sending:
    """All of them, and the last of each challenger."""

    all: list[Sent] = field(default_factory=list)
    last: dict[str, Sent] = field(default_factory=dict)

    def decided(self, entry: Evaluation, version: Version, labels: int) -> None:
        """A promotion or rejection after so many labels."""
        last = self.last.get(entry.challenger)
        patience = self._patience(last, entry, labels)
        if patience:
            sent = Sent(entry, version, labels, patience)
            self.last[entry.challenger] = sent
            self.all.append(sent)

    def _patience(self, last: Sent | None, entry: Evaluation, labels: int) -> int:
        """How many labels the next one must wait; 0 if this one need not be told."""
        waited = 0 if last is None else labels - last.labels
        if last is None or entry.is_new or waited >= AGAIN:
            return EVERY
        is_stale = last.entry.deployment_seq != entry.deployment_seq
        if entry.verdict == "promote" and is_stale and waited >= last.patience:
            return min(2 * last.patience, AGAIN)
        return 0

    def forget(self, challenger: str) -> None:
        """It is deployed, or none any more."""
        self.last.pop(challenger, None)
