"""The real servers of a test session, and topics of its own for each test."""

from collections.abc import Iterator
from secrets import token_hex

import pytest

from driftline.servers import LocalServers, local_servers


@pytest.fixture(scope="session")
def servers() -> Iterator[LocalServers]:
    """Kafka and Redis, started for this session and gone after it."""
    with local_servers() as servers:
        yield servers


@pytest.fixture
def prefix() -> str:
    """A prefix of topics that no other test has."""
    return f"test-{token_hex(4)}"
