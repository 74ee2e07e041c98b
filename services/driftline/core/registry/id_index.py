"""Which number goes with an id, where there are millions of ids? Some 20 bytes each. Pure."""

import re
from array import array
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

DERIVED: Final = re.compile(r"[0-9a-f]{16}", re.ASCII)  # all ids that services make
SIZE: Final = 8  # slots at first
FULL: Final = 0.8  # then there will be half as many slots again


@dataclass(slots=True)
class IdIndex:
    """A hash table with open addressing; what is in it stays.

    A derived id is a key itself, for any other 64 bits of its sha256 are: so two ids are mixed up
    as rarely as two derived ones that come out the same.
    """

    _keys: "array[int]" = field(default_factory=lambda: array("Q", bytes(8 * SIZE)))
    _numbers: "array[int]" = field(default_factory=lambda: array("I", bytes(4 * SIZE)))
    _used: int = 0

    def __len__(self) -> int:
        return self._used

    def __contains__(self, wanted: str) -> bool:
        return self.get(wanted) is not None

    def get(self, wanted: str) -> int | None:
        """The number of this id; None if it is not here."""
        found = self._numbers[self._slot(_key(wanted))]
        return found - 1 if found else None

    def add(self, name: str, number: int) -> None:
        """An id and its number, from 0 to 2**32 - 2. One that is here keeps the number it has."""
        key = _key(name)
        slot = self._slot(key)
        if self._numbers[slot]:
            return
        self._keys[slot], self._numbers[slot] = key, number + 1
        self._used += 1
        if self._used > FULL * len(self._keys):
            self._grow()

    def _slot(self, key: int) -> int:
        """Where the key lies, or is to lie."""
        keys, numbers, size = self._keys, self._numbers, len(self._keys)
        slot = key % size
        while numbers[slot] and keys[slot] != key:
            slot = slot + 1 if slot + 1 < size else 0
        return slot

    def _grow(self) -> None:
        keys, numbers = self._keys, self._numbers
        size = len(keys) * 3 // 2
        self._keys, self._numbers = array("Q", bytes(8 * size)), array("I", bytes(4 * size))
        for key, number in zip(keys, numbers, strict=True):
            if number:
                slot = self._slot(key)
                self._keys[slot], self._numbers[slot] = key, number


def _key(name: str) -> int:
    if DERIVED.fullmatch(name):
        return int(name, 16)
    return int.from_bytes(sha256(name.encode(errors="surrogatepass")).digest()[:8])
