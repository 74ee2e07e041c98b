"""The real servers of a test session, and topics of its own for each test."""

from collections.abc import Iterator
from secrets import token_hex

import pytest

from driftline.cli import rollback, sending
from driftline.core.registry import confirmations
from driftline.servers import LocalServers, local_servers
from tests.integration.installation import Installation, installation, remove_topics
from tests.waiting import PATIENCE_SECONDS


@pytest.fixture(scope="session")
def servers() -> Iterator[LocalServers]:
    """Kafka and Redis, started for this session and gone after it."""
    with local_servers() as servers:
        yield servers


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands of this process wait for the registry's owner and for scorers that are slow."""
    monkeypatch.setattr(sending, "WAIT_SECONDS", PATIENCE_SECONDS)
    monkeypatch.setattr(sending, "NOT_AFTER_MS", int(PATIENCE_SECONDS * 1_000))
    monkeypatch.setattr(rollback, "CONFIRM_SECONDS", PATIENCE_SECONDS)
    monkeypatch.setattr(confirmations, "SILENT_MS", int(PATIENCE_SECONDS * 1_000))


@pytest.fixture
def prefix(servers: LocalServers) -> Iterator[str]:
    """A prefix of topics that no other test has; they are gone after it."""
    prefix = f"test-{token_hex(4)}"
    yield prefix
    remove_topics(servers, prefix)


@pytest.fixture(scope="module")
def operated_by_all(
    request: pytest.FixtureRequest, servers: LocalServers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """An installation with a joiner and a monitor, for all tests of a file; LABEL_HORIZON is how
    late their labels may come."""
    folder, horizon = tmp_path_factory.mktemp("operated"), request.module.LABEL_HORIZON
    with installation(servers, f"ops-{token_hex(4)}", folder, label_horizon=horizon) as made:
        for role in ("joiner", "monitor"):
            made.start(role, f"{role}-0")
        made.wait_until_ready("joiner-0", "monitor-0")
        yield made


@pytest.fixture
def operated(operated_by_all: Installation, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """The same, as commands of this process find it."""
    for name, value in operated_by_all.environment.items():
        monkeypatch.setenv(name, value)
    return operated_by_all
