"""A pair of servers that lives as long as a `with` block, and what one can do to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from driftline.servers.configuration import Layout, Ports
from driftline.servers.control import tell
from driftline.servers.readiness import wait_until_ready
from driftline.servers.start import start
from driftline.servers.state import Server, State, living


@dataclass(frozen=True, slots=True)
class LocalServers:
    """Where a real Kafka and a real Redis listen, and faults for tests.

    A fault may be asked for by any process that knows the folder. `proxy_target` is the listener
    ("127.0.0.1:PORT") to which a fault proxy on `proxy_port` has to forward.
    """

    directory: Path
    brokers: str
    redis_url: str
    proxy_target: str | None = None

    @classmethod
    def at(cls, directory: Path, ports: Ports) -> "LocalServers":
        return cls(
            directory=directory,
            brokers=f"127.0.0.1:{ports.kafka}",
            redis_url=f"redis://127.0.0.1:{ports.redis}/0",
            proxy_target=f"127.0.0.1:{ports.proxied}" if ports.proxied else None,
        )

    def kill_kafka(self) -> None:
        """SIGKILL Kafka; returns when it is gone. Nothing starts it again by itself."""
        self._kill("kafka")

    def start_kafka(self) -> None:
        """Start Kafka on the same ports and data; returns when it answers."""
        self._start("kafka")

    def kill_redis(self) -> None:
        """SIGKILL Redis: up to a second of writes is lost (its file is synced every second)."""
        self._kill("redis")

    def start_redis(self) -> None:
        """Start Redis on the same port and data; returns when it answers."""
        self._start("redis")

    def _kill(self, server: Server) -> None:
        tell(self._layout, f"kill {server}", lambda state: state.of(server).pid is None)

    def _start(self, server: Server) -> None:
        before = living(self._layout)
        starts = before.of(server).starts if before is not None else 0

        def started(state: State) -> bool:  # it may have ended again already
            return state.of(server).pid is not None or state.of(server).starts > starts

        tell(self._layout, f"start {server}", started)
        wait_until_ready(self._layout, (server,), lambda: living(self._layout) is not None)

    @property
    def _layout(self) -> Layout:
        return Layout(self.directory)


@contextmanager
def local_servers(
    directory: Path | None = None, *, proxy_port: int | None = None
) -> Iterator[LocalServers]:
    """Both servers, answering, until the block ends; then processes, ports and data are gone.

    They also end, and their files with them, when this process is killed. `directory` must be
    new, empty or one that earlier servers kept; without it a temporary folder is used.

    Args:
        directory: where configuration, data and logs go.
        proxy_port: makes a second listener that sends clients to this port (of a fault proxy).

    Raises:
        ServersError: what is wrong, and how to mend it.
    """
    lifeline = start(directory, proxy_port=proxy_port)
    try:
        yield _view(lifeline.layout)
    finally:
        lifeline.let_go()


def _view(layout: Layout) -> LocalServers:
    state = living(layout)
    if state is None:
        raise AssertionError("servers that answered have a state")
    return LocalServers.at(layout.directory, state.ports)
