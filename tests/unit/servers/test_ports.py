"""Ports are free, distinct, and tried again when taken."""

import socket
from collections.abc import Iterator
from itertools import chain

import pytest

from driftline.servers import ServersError
from driftline.servers.ports import FIRST, LAST, free_ports, taken


@pytest.fixture
def listener() -> Iterator[int]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_free_ports_differ_and_stay_below_the_range_of_outgoing_connections() -> None:
    found = free_ports(20)
    assert len(set(found)) == 20
    assert all(FIRST <= port < LAST for port in found)


def test_a_taken_port_is_passed_over_for_the_next_candidate(listener: int) -> None:
    candidates = chain([listener, listener], free_ports(20))
    (found,) = free_ports(1, lambda: next(candidates))
    assert found != listener


def test_the_same_candidate_is_not_given_twice() -> None:
    candidates = iter([port for port in free_ports(20) for _ in range(2)])
    first, second = free_ports(2, lambda: next(candidates))
    assert first != second


def test_no_free_port_at_all_is_refused(listener: int) -> None:
    with pytest.raises(ServersError, match="No free ports"):
        free_ports(1, lambda: listener)


def test_the_port_somebody_listens_on_is_named(listener: int) -> None:
    ports = free_ports(20)  # somebody may be faster on one of them
    assert any(taken([port, listener]) == listener for port in ports)
    assert any(taken([port]) is None for port in ports)
