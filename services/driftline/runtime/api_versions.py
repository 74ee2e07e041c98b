"""The first words of Kafka's protocol: which version is a broker, and is it one at all?

ApiVersions, version 3 (KIP-511, KIP-584): brokers answer it before any login.
"""

from dataclasses import dataclass
from struct import pack, unpack_from
from typing import Final

CORRELATION: Final = 7
CLIENT: Final = b"driftline"
SUPPORTED_FEATURES: Final = 0  # the tag of the answer's field
# The first metadata level (KIP-778) of each release; they only ever grow.
RELEASES: Final = (
    (1, "3.0"), (2, "3.1"), (3, "3.2"), (4, "3.3"), (8, "3.4"), (9, "3.5"), (12, "3.6"),
    (15, "3.7"), (20, "3.8"), (21, "3.9"), (22, "4.0"), (26, "4.1"), (28, "4.2"), (30, "4.3"),
)  # fmt: skip
NEWEST_LEVEL: Final = 30


FOREIGN: Final = "what listens there is no Kafka broker"


class NotKafkaError(ValueError):
    """The bytes are no answer of a Kafka broker; the message says what they may be."""


def request() -> bytes:
    """ApiVersions, framed."""
    text = bytes([len(CLIENT) + 1]) + CLIENT
    body = pack(">hhih", 18, 3, CORRELATION, len(CLIENT)) + CLIENT + b"\0" + text + b"\2" + b"1"
    return pack(">i", len(body) + 1) + body + b"\0"


def metadata_request() -> bytes:
    """Metadata (version 1) of no topic, framed: a broker that wants a login hangs up on it."""
    body = pack(">hhih", 3, 1, CORRELATION, len(CLIENT)) + CLIENT + pack(">i", 0)
    return pack(">i", len(body)) + body


def release_of(answer: bytes) -> str:
    """`4.3`, `newer than 4.3`, or `older than 3.0`; NotKafkaError. `answer` is without its size."""
    level = _Answer(answer).metadata_level()
    if level > NEWEST_LEVEL:
        return f"newer than {RELEASES[-1][1]}"
    return next((name for first, name in reversed(RELEASES) if first <= level), "older than 3.0")


@dataclass(slots=True)
class _Answer:
    """Reads what is in the bytes, from the front."""

    raw: bytes
    at: int = 0

    def metadata_level(self) -> int:
        """The newest metadata level that the broker supports; 0 if it does not say."""
        try:
            return self._metadata_level()
        except (IndexError, UnicodeDecodeError):
            raise NotKafkaError(FOREIGN) from None

    def _metadata_level(self) -> int:
        correlation, error = self._integers(">ih", 6)
        if correlation != CORRELATION:
            raise NotKafkaError(FOREIGN)
        if error:  # UNSUPPORTED_VERSION: a broker before 2.4
            return 0
        for _ in range(self._count()):
            self._integers(">hhh", 6)
            self._skip_tags()
        self._integers(">i", 4)
        for _ in range(self._varint()):
            tag, size = self._varint(), self._varint()
            end = self.at + size
            if tag == SUPPORTED_FEATURES:
                return self._level_among_features()
            self.at = end
        return 0

    def _level_among_features(self) -> int:
        for _ in range(self._count()):
            size = self._count()
            name = self.raw[self.at : self.at + size].decode()
            self.at += size
            _, newest = self._integers(">hh", 4)
            self._skip_tags()
            if name == "metadata.version":
                return newest
        return 0

    def _integers(self, form: str, size: int) -> tuple[int, ...]:
        if self.at + size > len(self.raw):
            raise NotKafkaError(FOREIGN)
        found = unpack_from(form, self.raw, self.at)
        self.at += size
        return found

    def _count(self) -> int:
        """The length of what is compact: one more is on the wire."""
        return self._varint() - 1

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.raw[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            if not byte & 0x80:
                return value
            shift += 7

    def _skip_tags(self) -> None:
        for _ in range(self._varint()):
            self._varint()
            self.at += self._varint()
