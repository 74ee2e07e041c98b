"""Servers that outlive the command that starts them: `driftline servers up|down|status`."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from driftline.servers import folder
from driftline.servers.configuration import Layout
from driftline.servers.control import send
from driftline.servers.errors import ServersError
from driftline.servers.local import LocalServers
from driftline.servers.locks import held
from driftline.servers.readiness import pause
from driftline.servers.start import start
from driftline.servers.state import Status, living, read
from driftline.servers.wheels import cache_directory

_END_S = 25.0  # Kafka is given ten seconds to end in order when its data is kept


def default_directory() -> Path:
    """The folder of the servers when none is named: one pair per user."""
    return cache_directory() / "servers"


def up(directory: Path | None = None) -> LocalServers:
    """Start both servers, or find those that run in the folder already.

    Data that an earlier `down` kept is used again, on the same ports.

    Raises:
        ServersError: what is wrong, and how to mend it.
    """
    layout = _layout(directory)
    if (state := living(layout)) is not None:
        return LocalServers.at(layout.directory, state.ports)
    lifeline = start(layout.directory, keep=True)
    lifeline.detach()
    state = living(layout)
    if state is None:
        raise ServersError(f"The local servers ended while starting; see {layout.logs}.")
    return LocalServers.at(layout.directory, state.ports)


def down(directory: Path | None = None, *, keep: bool = False) -> bool:
    """End the servers of the folder and remove their files, or with `keep` leave the files.

    Returns whether servers ran. What a killed supervisor left behind is removed too.
    """
    layout = _layout(directory)
    ran = held(layout.lock)
    if ran:
        _end(layout, "end keep" if keep else "end remove")
    if not keep and read(layout) is not None:
        folder.remove(layout)
    return ran


def status(directory: Path | None = None) -> Status | None:
    """What runs in the folder; None if nothing does."""
    layout = _layout(directory)
    state = living(layout)
    if state is None:
        return None
    servers = LocalServers.at(layout.directory, state.ports)
    return Status(
        directory=layout.directory,
        brokers=servers.brokers,
        redis_url=servers.redis_url,
        supervisor_pid=state.supervisor,
        kafka_pid=state.kafka.pid,
        redis_pid=state.redis.pid,
        ports=state.ports,
    )


def _layout(directory: Path | None) -> Layout:
    return Layout((directory or default_directory()).expanduser().absolute())


def _end(layout: Layout, command: str) -> None:
    state = read(layout)
    with suppress(ServersError):  # it ended by itself meanwhile
        send(layout, command)
    deadline = time.monotonic() + _END_S
    while held(layout.lock) and time.monotonic() < deadline:
        pause(0.02)
    if state is None:
        return
    if held(layout.lock):
        with suppress(ProcessLookupError):
            os.kill(state.supervisor, signal.SIGKILL)  # its servers die with it
    with suppress(ChildProcessError):  # it is ours only if this very process called `up`
        os.waitpid(state.supervisor, 0)
