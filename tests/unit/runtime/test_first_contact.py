"""Does every kind of wrong broker give its own sentence, and soon?"""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from struct import pack
from threading import Thread
from typing import NoReturn

import pytest

from driftline.runtime import first_contact
from driftline.runtime.api_versions import NotKafkaError, release_of
from driftline.runtime.first_contact import NoBrokerError, look_at, meet
from tests.waiting import PATIENCE_SECONDS

Server = Callable[[socket.socket], None]
FEATURES = b"\2" + b"\x11metadata.version" + pack(">hh", 7, 30) + b"\0"
ANSWER = (
    pack(">ih", 7, 0)
    + b"\2" + pack(">hhh", 18, 0, 4) + b"\0"
    + pack(">i", 0)
    + b"\1" + b"\0" + bytes([len(FEATURES)]) + FEATURES
)  # fmt: skip


def framed(answer: bytes) -> bytes:
    return pack(">i", len(answer)) + answer


@contextmanager
def listening(serve: Server) -> Iterator[str]:
    """Something that answers one caller after the other."""
    with socket.create_server(("127.0.0.1", 0)) as door:

        def work() -> None:
            with suppress(OSError):
                while True:
                    line, _ = door.accept()
                    with line, suppress(OSError):
                        serve(line)

        Thread(target=work, daemon=True).start()
        yield "{}:{}".format(*door.getsockname())
        door.shutdown(socket.SHUT_RDWR)


def web_server(line: socket.socket) -> None:
    line.recv(1_000)
    line.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def hangs_up(line: socket.socket) -> None:
    line.recv(1_000)


def wants_tls(line: socket.socket) -> None:
    line.recv(1_000)
    line.sendall(b"\x15\x03\x03\x00\x02\x02\x46")


def wants_login(line: socket.socket) -> None:
    line.recv(1_000)
    line.sendall(framed(ANSWER))
    line.recv(1_000)


def is_mute(line: socket.socket) -> None:
    while line.recv(1_000):
        pass


@pytest.mark.parametrize(
    ("server", "trouble"),
    [
        pytest.param(web_server, "what listens there is no Kafka broker", id="a web server"),
        pytest.param(hangs_up, "what listens there is no Kafka broker", id="one that hangs up"),
        pytest.param(wants_tls, "it wants TLS", id="TLS"),
        pytest.param(wants_login, "it wants a login (SASL)", id="a login"),
        pytest.param(is_mute, "that does not answer as a Kafka broker does", id="one that waits"),
    ],
)
def test_what_is_no_broker_of_ours_is_told(
    server: Server, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    patience = 0.5 if server is is_mute else PATIENCE_SECONDS
    monkeypatch.setattr(first_contact, "SECONDS", patience)
    with (
        listening(server) as address,
        pytest.raises(NoBrokerError, match=f"No broker answers at {address}: ") as told,
    ):
        meet(address)
    assert trouble in str(told.value)
    assert "\n" not in str(told.value)


def unknown(*_: object) -> NoReturn:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


@pytest.mark.parametrize(
    ("address", "trouble"),
    [
        ("127.0.0.1:1", "connection refused"),
        ("kafka", "an address is written host:port"),
        ("kafka:http", "an address is written host:port"),
        ("kafka.invalid:9092", "the name kafka.invalid is not known"),
    ],
)
def test_an_address_that_leads_nowhere_is_told(
    address: str, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(first_contact, "SECONDS", PATIENCE_SECONDS)
    if address.startswith("kafka.invalid"):  # some resolvers know every name, others are slow
        monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert look_at(address).trouble == trouble


def test_of_several_addresses_each_is_told() -> None:
    with pytest.raises(NoBrokerError) as told:
        meet("127.0.0.1:1, kafka")
    assert str(told.value).endswith(
        "connection refused (127.0.0.1:1), an address is written host:port (kafka)."
    )


def test_a_cluster_that_sends_its_clients_to_nobody_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def polite(line: socket.socket) -> None:
        line.recv(1_000)
        line.sendall(framed(ANSWER))
        line.recv(1_000)
        line.sendall(framed(b"some metadata"))

    monkeypatch.setattr(first_contact, "SECONDS", PATIENCE_SECONDS)
    monkeypatch.setattr(first_contact, "advertised", lambda _brokers: ["127.0.0.1:1"])
    with listening(polite) as address, pytest.raises(NoBrokerError) as told:
        meet(address)
    assert str(told.value) == (
        f"The broker at {address} sends its clients to 127.0.0.1:1 (connection refused): mend its"
        " advertised.listeners."
    )


def test_the_release_is_read_from_the_newest_metadata_level() -> None:
    assert release_of(ANSWER) == "4.3"
    assert release_of(ANSWER.replace(pack(">hh", 7, 30), pack(">hh", 7, 17))) == "3.7"
    assert release_of(ANSWER.replace(pack(">hh", 7, 30), pack(">hh", 7, 99))) == "newer than 4.3"
    assert release_of(pack(">ih", 7, 35)) == "older than 3.0"


def test_cut_off_or_foreign_bytes_are_no_answer() -> None:
    for end in range(len(ANSWER)):
        with pytest.raises(NotKafkaError):
            release_of(ANSWER[:end])
    with pytest.raises(NotKafkaError):
        release_of(b"HTTP/1.1 400")
