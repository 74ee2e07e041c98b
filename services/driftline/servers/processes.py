"""Start one server so that it cannot outlive its supervisor, and end it with all its children."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1  # prctl(2)


def spawn(command: Sequence[str], *, directory: Path, log: Path) -> subprocess.Popen[bytes]:
    """Start `command` in a process group of its own; what it says is appended to `log`.

    To be called from the main thread of a process without other threads.
    """
    with log.open("ab") as output:
        # The command is ours: programs from wheels with files that we wrote.
        return subprocess.Popen(  # noqa: S603
            command,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            process_group=0,  # Redis forks when it rewrites its file: the group is what ends
            preexec_fn=_dies_with_parent(),
        )


def kill(server: subprocess.Popen[bytes]) -> int:
    """End the server's process group at once; returns the exit code."""
    _signal(server, signal.SIGKILL)
    return server.wait()


def stop(server: subprocess.Popen[bytes], seconds: float) -> int:
    """Ask the server to end; after `seconds` it is killed. Returns the exit code."""
    _signal(server, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        server.wait(seconds)
    return kill(server)


def _signal(server: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: EPERM for a zombie
        os.killpg(server.pid, number)


def _dies_with_parent() -> Callable[[], None] | None:
    """On Linux the kernel kills the child when its parent dies, even by SIGKILL.

    Elsewhere only the supervisor's own end is covered: it ends its servers first.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl  # loaded before the fork, not after
    parent = os.getpid()

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the kernel knew
            os._exit(1)

    return ask
