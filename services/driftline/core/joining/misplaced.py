"""Which ids lie in a partition where their partner would never meet them."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from driftline_schemas.partitioner import MULTIPLIER, SEED, partition_of

FEW: Final = 7  # up to so many ids, one by one is cheaper
_M: Final = np.uint32(MULTIPLIER)


def partitions_of(ids: Sequence[str], partitions: int) -> list[int]:
    """Kafka's partition of each id: murmur2 of many keys at once, grouped by their length."""
    if len(ids) <= FEW:
        return [partition_of(id_, partitions) for id_ in ids]
    keys = [key.encode() for key in ids]
    if len(set(map(len, keys))) == 1:  # UUIDs, say
        return _places(keys, len(keys[0]), partitions)
    found = [0] * len(keys)
    by_length: dict[int, list[int]] = {}
    for index, key in enumerate(keys):
        by_length.setdefault(len(key), []).append(index)
    for length, indices in by_length.items():
        places = _places([keys[index] for index in indices], length, partitions)
        for index, place in zip(indices, places, strict=True):
            found[index] = place
    return found


def _places(keys: Sequence[bytes], length: int, partitions: int) -> list[int]:
    block = np.frombuffer(b"".join(keys), np.uint8)
    hashes = _murmur2(block.reshape(len(keys), length))
    places: list[int] = ((hashes & np.uint32(0x7FFFFFFF)) % np.uint32(partitions)).tolist()
    return places


def _murmur2(keys: np.ndarray) -> np.ndarray:
    """murmur2 of each row of `keys` (n x length, uint8), as n uint32 (wrapping on purpose)."""
    n, length = keys.shape
    whole = length & ~3
    words = np.ascontiguousarray(keys[:, :whole]).view("<u4").astype(np.uint32, copy=False)
    h = np.full(n, SEED ^ length, np.uint32)
    for column in words.T:
        k = column * _M
        k = (k ^ (k >> np.uint32(24))) * _M
        h = (h * _M) ^ k
    if length > whole:
        rest = np.zeros(n, np.uint32)
        for shift, column in enumerate(keys[:, whole:].T):
            rest |= column.astype(np.uint32) << np.uint32(8 * shift)
        h = (h ^ rest) * _M
    h = (h ^ (h >> np.uint32(13))) * _M
    return h ^ (h >> np.uint32(15))
