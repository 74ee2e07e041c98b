"""Kafka's murmur2 partitioner, as the Java client and librdkafka's `murmur2_random` compute it."""

from typing import Final

SEED: Final = 0x9747B28C
MULTIPLIER: Final = 0x5BD1E995
MASK: Final = 0xFFFFFFFF


def murmur2(key: bytes) -> int:
    """32-bit murmur2 of `key` (Austin Appleby, public domain; seed of Apache Kafka), unsigned."""
    length = len(key)
    h = SEED ^ length
    for start in range(0, length - 3, 4):
        k = int.from_bytes(key[start : start + 4], "little") * MULTIPLIER & MASK
        k = (k ^ k >> 24) * MULTIPLIER & MASK
        h = h * MULTIPLIER & MASK ^ k
    if rest := key[length & ~3 :]:
        h = (h ^ int.from_bytes(rest, "little")) * MULTIPLIER & MASK
    h = (h ^ h >> 13) * MULTIPLIER & MASK
    return h ^ h >> 15


def partition_of(key: str, partitions: int) -> int:
    """The partition in which every client puts `key`."""
    return (murmur2(key.encode()) & 0x7FFFFFFF) % partitions
