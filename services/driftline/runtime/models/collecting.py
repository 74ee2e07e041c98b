"""How does a big model come into memory without Python's collector of cycles holding all else up?

A full collection looks at every object of the process in one go: a third of a second for two
forests of 2.5 MB. It comes whenever enough objects are new, so a model that is read brings some
about itself. Reading and writing go without; what was read is left out of those that follow.
Reference counts go on freeing it. What they cannot free, cycles that were dropped after that, waits
until the process has twice the memory that it had after its last full collection.
"""

import gc
import sys
from dataclasses import dataclass, field
from threading import Lock
from typing import Final, Self

BIG: Final = 64 << 10  # bytes of a pickled model; smaller ones are some thousand objects
LEAST_BLOCKS: Final = 4_000_000  # of memory, some 300 MB: below that nothing is given back


@dataclass(slots=True)
class Collecting:
    """The collector of this process, off while anybody is inside."""

    _inside: int = 0
    _was_on: bool = True
    _limit: int = LEAST_BLOCKS
    _lock: Lock = field(default_factory=Lock)

    def __enter__(self) -> Self:
        with self._lock:
            if self._inside == 0:
                self._was_on = gc.isenabled()
                gc.disable()
            self._inside += 1
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0 and self._was_on:
                gc.enable()

    def leave_out(self) -> None:
        """Look no more at what there is now; but at all of it once, where memory has doubled."""
        with self._lock:
            if sys.getallocatedblocks() > self._limit:
                gc.unfreeze()
                gc.collect()
                self._limit = max(LEAST_BLOCKS, 2 * sys.getallocatedblocks())
            gc.freeze()


COLLECTING: Final = Collecting()
