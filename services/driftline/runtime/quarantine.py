"""Records that made the handler raise: which are suspected, and which are known to be bad."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from driftline.runtime.ports import TP, Record


@dataclass(slots=True)
class Quarantine:
    """Suspected records are applied one by one; bad ones are left out, they are dead letters."""

    suspected: dict[TP, int] = field(default_factory=dict)  # one by one below this offset
    bad: dict[TP, set[int]] = field(default_factory=dict)
    runs: dict[TP, int] = field(default_factory=dict)  # bad ones since the last good one

    def suspect(self, tp: TP, end: int) -> None:
        """One of the records below `end` raises: find out which."""
        self.suspected[tp] = max(self.suspected.get(tp, 0), end)

    def is_suspected(self, tp: TP, offset: int) -> bool:
        """True when the record must be applied alone."""
        return offset < self.suspected.get(tp, 0)

    def condemn(self, tp: TP, offset: int) -> int:
        """The record raises alone; how many did since the last one that did not."""
        self.bad.setdefault(tp, set()).add(offset)
        self.runs[tp] = self.runs.get(tp, 0) + 1
        return self.runs[tp]

    def good(self, tp: TP, records: Sequence[Record]) -> Sequence[Record]:
        """The records without those that are known to be bad; the same object if none is."""
        bad = self.bad.get(tp)
        return [r for r in records if r.offset not in bad] if bad else records

    def passed(self, tp: TP, last: Record) -> None:
        """A record was applied; one behind all bad ones ends their run."""
        if tp in self.runs and last.offset > max(self.bad.get(tp, ()), default=-1):
            del self.runs[tp]

    def saved(self, partition: int, offsets: Mapping[str, int]) -> None:
        """What a checkpoint stands for is never read again."""
        for tp in [tp for tp in self.bad if tp.partition == partition]:
            self.bad[tp] = {o for o in self.bad[tp] if o >= offsets.get(tp.topic, 0)}
            if not self.bad[tp]:
                del self.bad[tp]

    def forget(self, partitions: Collection[int]) -> None:
        """Their dead letters are lost, so the bad records must be met once more."""
        for tp in [tp for tp in self.bad if tp.partition in partitions]:
            del self.bad[tp]
