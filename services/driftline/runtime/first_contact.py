"""Does a Kafka broker answer at these addresses, and if not, why? One sentence, in seconds.

librdkafka tries again until its time is over, whatever is wrong; a person wants to know at once.
"""

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from struct import unpack
from typing import Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from driftline.runtime.api_versions import (
    FOREIGN,
    NotKafkaError,
    metadata_request,
    release_of,
    request,
)
from driftline.runtime.errors import DriftlineError
from driftline.runtime.kafka_log import SILENT

SECONDS: Final = 4.0
MAX_ANSWER: Final = 1_000_000
TLS_ALERT: Final = b"\x15\x03"
MUTE: Final = "something listens there that does not answer as a Kafka broker does"


class NoBrokerError(DriftlineError):
    """None of the addresses leads to a broker that talks to us."""


@dataclass(frozen=True, slots=True)
class BrokerLook:
    """One address, and what answered there; `trouble` is None for a broker."""

    address: str
    trouble: str | None
    release: str | None = None


def meet(brokers: str) -> BrokerLook:
    """The first broker that answers, its cluster's addresses reachable; NoBrokerError says why not.

    It takes some milliseconds, or for each address that is silent `SECONDS`.
    """
    looks: list[BrokerLook] = []
    for address in brokers.split(","):
        looks.append(look_at(address.strip()))
        if looks[-1].trouble is None:
            _check_advertised(brokers)
            return looks[-1]
    told = ", ".join(f"{look.trouble} ({look.address})" for look in looks)
    why = looks[0].trouble if len(looks) == 1 else told
    raise NoBrokerError(f"No broker answers at {brokers}: {why}.")


def look_at(address: str, seconds: float | None = None) -> BrokerLook:
    """What answers at `host:port`; never raises."""
    host, colon, port = address.rpartition(":")
    if not (colon and host and port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
        return BrokerLook(address, "an address is written host:port")
    limit = seconds or SECONDS
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=limit) as line:
            release = release_of(_ask(line, request()))
            return BrokerLook(address, _login_wanted(line), release)
    except socket.gaierror:
        return BrokerLook(address, f"the name {host} is not known")
    except TimeoutError:
        return BrokerLook(address, f"nothing came back within {limit:g} s")
    except ConnectionRefusedError:
        return BrokerLook(address, "connection refused")
    except NotKafkaError as error:
        return BrokerLook(address, str(error))
    except (ConnectionError, UnicodeError):
        return BrokerLook(address, FOREIGN)
    except OSError as error:
        return BrokerLook(address, (error.strerror or str(error)).lower())


def advertised(brokers: str) -> Sequence[str]:
    """Where the cluster's brokers say that they are."""
    try:
        cluster = AdminClient({"bootstrap.servers": brokers}, logger=SILENT).list_topics(
            timeout=SECONDS
        )
    except KafkaException as error:
        sentence = f"No broker answers at {brokers}: {error.args[0].str()}."
        raise NoBrokerError(sentence) from None
    return [f"{each.host}:{each.port}" for each in cluster.brokers.values()]


def _check_advertised(brokers: str) -> None:
    """Clients go where the cluster sends them, and wait there for ever if nobody is there."""
    known = {address.strip() for address in brokers.split(",")}
    told = advertised(brokers)
    if known.intersection(told):
        return
    looks = [look_at(address) for address in told]
    if all(look.trouble for look in looks):
        where = ", ".join(f"{look.address} ({look.trouble})" for look in looks) or "nowhere"
        raise NoBrokerError(
            f"The broker at {brokers} sends its clients to {where}: mend its advertised.listeners."
        )


def _ask(line: socket.socket, question: bytes) -> bytes:
    """The answer without its size."""
    line.sendall(question)
    begin = _receive(line, 4)
    if begin.startswith(TLS_ALERT):
        raise NotKafkaError("it wants TLS, which Driftline does not speak to Kafka yet")
    (size,) = unpack(">i", begin)
    if not 6 <= size <= MAX_ANSWER:
        raise NotKafkaError(FOREIGN)
    return _receive(line, size)


def _receive(line: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        try:
            part = line.recv(size - len(parts))
        except TimeoutError:
            raise NotKafkaError(MUTE) from None
        if not part:
            raise NotKafkaError(FOREIGN)
        parts += part
    return bytes(parts)


def _login_wanted(line: socket.socket) -> str | None:
    """A broker with SASL answers ApiVersions to everybody, and hangs up on the next question."""
    try:
        _ask(line, metadata_request())
    except (NotKafkaError, ConnectionError):
        return "it wants a login (SASL), which Driftline does not give to Kafka yet"
    return None
