"""Tell a living supervisor something through the named pipe of its folder."""

import errno
import os
import time
from collections.abc import Callable

from driftline.servers.configuration import Layout
from driftline.servers.errors import ServersError
from driftline.servers.readiness import pause
from driftline.servers.state import State, living

_OBEYED_S = 20.0
_PAUSE_S = 0.02


def tell(layout: Layout, command: str, obeyed: Callable[[State], bool]) -> None:
    """Send one command; returns when the supervisor's state shows that it was obeyed.

    Raises:
        ServersError: no supervisor lives there, or it does not obey.
    """
    send(layout, command)
    deadline = time.monotonic() + _OBEYED_S
    while (state := living(layout)) is not None:
        if obeyed(state):
            return
        if time.monotonic() > deadline:
            raise ServersError(
                f"The local servers in {layout.directory} did not {command} "
                f"within {_OBEYED_S:.0f} s; see {layout.logs}."
            )
        pause(_PAUSE_S)
    raise _none_run(layout)


def send(layout: Layout, command: str) -> None:
    """Send one command without waiting.

    Raises:
        ServersError: no supervisor lives there.
    """
    try:
        pipe = os.open(layout.control, os.O_WRONLY | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENXIO, errno.ENOTDIR):
            raise _none_run(layout) from error
        raise
    try:
        os.write(pipe, command.encode() + b"\n")
    finally:
        os.close(pipe)


def _none_run(layout: Layout) -> ServersError:
    return ServersError(f"No local servers run in {layout.directory}; start them first.")
