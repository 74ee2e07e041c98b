"""Do the servers of a folder answer, and are they ours and not somebody else's on the port?"""

import logging
import re
import select
import shutil
import socket
import time
from collections.abc import Callable
from pathlib import Path

from driftline.servers.configuration import Layout
from driftline.servers.errors import ServersError
from driftline.servers.state import Server, State, read
from driftline.servers.wheels import cache_directory

START_S = 300.0  # Kafka takes two seconds, on a machine that is overloaded many more
_PAUSE_S = 0.05
_TAIL = 50_000  # bytes of a log in which to look for the reason
_CLASH = re.compile(rb"Address already in use|BindException|failed to bind", re.IGNORECASE)


class PortClashError(ServersError):
    """Somebody else listens on a port that was free a moment ago."""


def wait_until_ready(
    layout: Layout, wanted: tuple[Server, ...], supervised: Callable[[], bool]
) -> State:
    """Wait until the wanted servers answer; returns the state they are in.

    Raises:
        PortClashError: a server ended because its port was taken.
        ServersError: a server or the supervisor ended, or time ran out.
    """
    deadline = time.monotonic() + START_S
    missing = set(wanted)
    while True:
        state = _state(layout, wanted, supervised)
        missing = {server for server in missing if not _answers(server, layout, state)}
        if not missing:
            # Once more: what answered must not have been a stranger in place of a dead server.
            return _state(layout, wanted, supervised)
        if time.monotonic() > deadline:
            name = min(missing)
            raise ServersError(
                f"The local {name.title()} gave no answer for {START_S:.0f} s; "
                f"see {_kept_log(layout, state, name)}."
            )
        pause(_PAUSE_S)


def pause(seconds: float) -> None:
    """Wait a moment for another process."""
    select.select([], [], [], seconds)


def _state(layout: Layout, wanted: tuple[Server, ...], supervised: Callable[[], bool]) -> State:
    state = read(layout)
    if state is None or not supervised():
        raise ServersError("The supervisor of the local servers ended; start them again.")
    for server in wanted:
        if state.of(server).exit_code is not None:
            raise _ended(layout, state, server)
    return state


def _ended(layout: Layout, state: State, server: Server) -> ServersError:
    log = _kept_log(layout, state, server)
    if _CLASH.search(_tail(layout.log(server))):
        ports = ", ".join(map(str, state.ports.listening()))
        return PortClashError(
            f"The local {server.title()} found one of its ports ({ports}) taken; "
            "stop what listens there, or use another folder."
        )
    return ServersError(
        f"The local {server.title()} ended with code {state.of(server).exit_code}; see {log}."
    )


def _tail(log: Path) -> bytes:
    return log.read_bytes()[-_TAIL:] if log.exists() else b""


def _kept_log(layout: Layout, state: State, server: Server) -> Path:
    """The log to point at: a copy that outlives the folder if the folder is temporary."""
    if not state.temporary:
        return layout.log(server)
    kept = cache_directory() / f"{server}-failed.log"
    kept.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(layout.log(server), kept)
    return kept


def _answers(server: Server, layout: Layout, state: State) -> bool:
    if state.of(server).pid is None:
        return False
    if server == "redis":
        return _redis_answers(state)
    # A client that meets a closed port waits before it tries again: look first.
    return _accepts(state.ports.kafka) and _kafka_answers(layout, state)


def _kafka_answers(layout: Layout, state: State) -> bool:
    """Whether a real client is told the cluster's metadata."""
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    configuration: dict[str, str | int | float] = {
        "bootstrap.servers": f"127.0.0.1:{state.ports.kafka}",
        "log_level": 0,
    }
    client = AdminClient(configuration, logger=_silent())
    try:
        cluster = client.list_topics(timeout=2.0)
    except KafkaException:
        return False
    # A broker that is still fenced names no brokers; a stranger's cluster has another id.
    return bool(cluster.brokers) and cluster.cluster_id == _cluster_id(layout)


def _cluster_id(layout: Layout) -> str | None:
    properties = (layout.kafka_data / "meta.properties").read_text(encoding="utf-8")
    found = re.search(r"^cluster\.id=(.+)$", properties, re.MULTILINE)
    return found and found.group(1).strip()


def _redis_answers(state: State) -> bool:
    """PING over a plain socket, and whether it is the process that we started."""
    try:
        with socket.create_connection(("127.0.0.1", state.ports.redis), 1.0) as connection:
            connection.sendall(b"PING\r\nINFO server\r\n")
            said = _receive(connection, b"config_file:")
    except OSError:
        return False
    return said.startswith(b"+PONG") and b"process_id:%d\r" % (state.redis.pid or 0) in said


def _receive(connection: socket.socket, last: bytes) -> bytes:
    said = b""
    # While Redis still reads its file, PING is answered by an error.
    while last not in said and not said.startswith(b"-"):
        received = connection.recv(65_536)
        if not received:
            break
        said += received
    return said


def _accepts(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1.0):
            return True
    except OSError:
        return False


def _silent() -> logging.Logger:
    logger = logging.getLogger("driftline.servers.probe")
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    return logger
