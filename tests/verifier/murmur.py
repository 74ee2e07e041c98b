"""Where Kafka's default partitioner puts a key (`Utils.murmur2` of the Java client)."""

from struct import Struct

_WORDS = Struct("<I")
_M = 0x5BD1E995
_LOW_32 = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """The 32-bit hash, unsigned."""
    tail = len(data) % 4
    whole = len(data) - tail
    state = (0x9747B28C ^ len(data)) & _LOW_32
    for (word,) in _WORDS.iter_unpack(data[:whole]):
        word = (word * _M) & _LOW_32
        word = ((word ^ (word >> 24)) * _M) & _LOW_32
        state = ((state * _M) & _LOW_32) ^ word
    if tail >= 3:
        state ^= data[whole + 2] << 16
    if tail >= 2:
        state ^= data[whole + 1] << 8
    if tail >= 1:
        state = ((state ^ data[whole]) * _M) & _LOW_32
    state = ((state ^ (state >> 13)) * _M) & _LOW_32
    return state ^ (state >> 15)


def partition_for(key: bytes, partitions: int) -> int:
    """The partition of `key` in a topic of that many."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions
