"""The services as separate processes; none outlives the demo, however that ends."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

STOP_SECONDS = 15.0
PR_SET_PDEATHSIG = 1  # prctl(2)
ENDING = (signal.SIGINT, signal.SIGTERM)


class Processes:
    """Children with their logs in one folder, stopped in reverse order on exit."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._environment = {**os.environ, **environment, "PYTHONUNBUFFERED": "1"}
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for child in self._children.values():
            with suppress(ProcessLookupError):
                child.terminate()
        for child in self._children.values():
            try:
                child.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            if child.stdout is not None:
                child.stdout.close()

    def start(
        self, name: str, arguments: Sequence[str], **environment: str
    ) -> subprocess.Popen[bytes]:
        """Start `python -m ...`; its stderr goes to NAME.log, its stdout is a pipe."""
        with (self._folder / f"{name}.log").open("ab") as log, _signals_wait():
            child = subprocess.Popen(  # noqa: S603 - our own modules
                [sys.executable, "-m", *arguments],
                env={**self._environment, **environment},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # Ctrl-C is ours to handle: they are stopped in order
                preexec_fn=_prepare_child(),
            )
        self._children[name] = child
        return child

    def role(self, role: str, replica: str | None = None) -> subprocess.Popen[bytes]:
        """Start one service."""
        name = replica or f"{role}-1"
        return self.start(name, ["driftline", "run", role], DRIFTLINE_REPLICA=name)

    def kill_and_restart(self, role: str) -> None:
        """SIGKILL a service and start it again under its name."""
        child = self._children.pop(f"{role}-1")
        child.kill()
        child.wait()
        if child.stdout is not None:
            child.stdout.close()
        self.role(role)

    def dead(self) -> str | None:
        """The name of a child that has ended by itself with an error."""
        return next((name for name, c in self._children.items() if c.poll() not in (None, 0)), None)

    def log_of(self, name: str) -> str:
        """The last lines of a child's log."""
        return "\n".join((self._folder / f"{name}.log").read_text().splitlines()[-5:])


@contextmanager
def _signals_wait() -> Iterator[None]:
    """Python ignores what a signal handler raises while it forks: Ctrl-C would be lost. (To block
    signals is not enough: another thread takes them, and the handler runs here all the same.)"""
    came: list[int] = []
    before = {number: signal.signal(number, lambda n, _: came.append(n)) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])


def _prepare_child() -> Callable[[], None]:
    """It hears signals; on Linux the kernel ends it when its parent dies, even by SIGKILL."""
    parent = os.getpid()
    prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None

    def prepare() -> None:
        for number in ENDING:
            signal.signal(number, signal.SIG_DFL)
        if prctl is not None:
            prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() != parent:  # it died before the kernel knew
                os._exit(1)

    return prepare
