"""Which ports are free for servers that are stopped and started again on the same ones?"""

import random
import socket
from collections.abc import Callable, Iterable
from contextlib import ExitStack

from driftline.servers.errors import ServersError

# Below the range from which Linux (32768 on) and macOS (49152 on) take the local port of outgoing
# connections. A port that binding to 0 yields lies in it: while the server is down, a client's own
# connection may take the port, even by connecting to itself, and the server could not return.
FIRST, LAST = 15_000, 32_000
_TRIES = 1_000


def free_ports(count: int, candidates: Callable[[], int] | None = None) -> tuple[int, ...]:
    """Distinct ports on which nothing listens now; another process may still be faster.

    Raises:
        ServersError: no free port was found.
    """
    candidates = candidates or _any_port
    with ExitStack() as bound:  # held together, so that they differ
        found: list[int] = []
        for _ in range(_TRIES):
            if len(found) == count:
                return tuple(found)
            port = candidates()
            if (probe := _bind(port)) is not None:
                bound.enter_context(probe)
                found.append(port)
    raise ServersError(
        f"No free ports between {FIRST} and {LAST} on 127.0.0.1; stop something that listens there."
    )


def taken(ports: Iterable[int]) -> int | None:
    """The first of `ports` on which a server could not listen now, or None."""
    for port in ports:
        probe = _bind(port)
        if probe is None:
            return port
        probe.close()
    return None


def _any_port() -> int:
    return random.SystemRandom().randrange(FIRST, LAST)


def _bind(port: int) -> socket.socket | None:
    probe = socket.socket()
    # As the servers do: connections of a stopped server that linger are no obstacle.
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind(("127.0.0.1", port))
        # Two sockets that only bind may share a port under this option; a listening one may not.
        probe.listen(1)
    except OSError:
        probe.close()
        return None
    return probe
