"""Run Kafka and Redis in one folder, and leave nothing when the process that asked is gone.

A process of its own, started by `start.py` in a session of its own, so that Ctrl-C in a terminal
does not reach the servers. Its standard input is a lifeline: the first line is the `Plan`, a line
`detach` lets the servers outlive their starter, and the end of the input means that the starter
ended, in whatever way. Commands come as lines through a named pipe in the folder.
"""

import base64
import json
import os
import secrets
import select
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Literal

from driftline.servers import configuration, folder, locks, processes
from driftline.servers.configuration import Layout
from driftline.servers.plan import Plan
from driftline.servers.state import SERVERS, Server, State

Ending = Literal["remove", "keep"]
_TICK_S = 0.1
_GRACE_S = {"kafka": 10.0, "redis": 3.0}
_LOCK_TRIES = 10  # a reader of the status holds the lock for microseconds


class Supervisor:
    """The servers of one folder and what is known about them."""

    def __init__(self, plan: Plan, layout: Layout) -> None:
        self._plan = plan
        self._layout = layout
        self._running: dict[Server, subprocess.Popen[bytes]] = {}
        self._state = State(os.getpid(), plan.ports, temporary=plan.directory is None)

    def prepare(self) -> None:
        """Write the configuration files and a state without servers."""
        folder.configure(self._layout, self._plan.ports)
        self._state.write(self._layout)

    def begin(self) -> None:
        """Start Redis, format Kafka's storage if it is new, start Kafka."""
        self.start("redis")
        if self._formatted() or self._format():
            self.start("kafka")

    def obey(self, command: str) -> Ending | None:
        """Do what one line from the named pipe asks; returns how to end, if it asks for that."""
        match command.split():
            case ["kill", ("kafka" | "redis") as server]:
                self.kill(server)
            case ["start", ("kafka" | "redis") as server]:
                self.start(server)
            case ["end", ("remove" | "keep") as ending]:
                return ending
        return None

    def start(self, server: Server) -> None:
        if server in self._running:
            return
        process = self._spawn(self._command(server), server)
        self._running[server] = process
        self._note(self._state.with_server(server, self._state.of(server).started(process.pid)))

    def kill(self, server: Server) -> None:
        if server in self._running:
            self._ended(server, processes.kill(self._running[server]))

    def reap(self) -> None:
        """Notice servers that ended by themselves; they stay down until told to start."""
        for server, process in list(self._running.items()):
            if process.poll() is not None:
                self._ended(server, processes.kill(process))  # what is left of its group

    def end(self, ending: Ending) -> None:
        """Stop both servers: at once if their data is to go, else by asking them first."""
        for server in SERVERS:
            if ending == "keep" and server in self._running:
                self._ended(server, processes.stop(self._running[server], _GRACE_S[server]))
            self.kill(server)

    def _formatted(self) -> bool:
        return (self._layout.kafka_data / "meta.properties").exists()

    def _format(self) -> bool:
        cluster = base64.urlsafe_b64encode(b"\0" + secrets.token_bytes(15)).decode().rstrip("=")
        plan = self._plan
        command = configuration.format_command(
            plan.java_path, plan.jar_paths, self._layout, cluster
        )
        code = self._spawn(command, "kafka").wait()
        if code != 0:
            self._note(self._state.with_server("kafka", self._state.kafka.ended(code)))
        return code == 0

    def _command(self, server: Server) -> tuple[str, ...]:
        plan = self._plan
        if server == "redis":
            return configuration.redis_command(Path(plan.redis_server), self._layout)
        return configuration.kafka_command(plan.java_path, plan.jar_paths, self._layout)

    def _spawn(self, command: tuple[str, ...], server: Server) -> subprocess.Popen[bytes]:
        return processes.spawn(
            command, directory=self._layout.directory, log=self._layout.log(server)
        )

    def _ended(self, server: Server, exit_code: int) -> None:
        del self._running[server]
        self._note(self._state.with_server(server, self._state.of(server).ended(exit_code)))

    def _note(self, state: State) -> None:
        self._state = state
        state.write(self._layout)


class Inbox:
    """What the supervisor is told: by its lifeline, by the named pipe, by signals."""

    def __init__(self, plan: Plan, control: Path) -> None:
        self._plan = plan
        self._detached = False
        self._terminated = False
        self._broken = False
        # Opened for both, so that the end of one writer is not the end of the pipe.
        self._control = os.open(control, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        signal.signal(signal.SIGTERM, self._terminate)
        for ignored in (signal.SIGINT, signal.SIGHUP):
            signal.signal(ignored, signal.SIG_IGN)

    @property
    def detached(self) -> bool:
        return self._detached

    @property
    def ending(self) -> Ending:
        """What becomes of the data when nobody says so."""
        return "keep" if self._detached or self._plan.keep else "remove"

    @property
    def abandoned(self) -> bool:
        """Whether a signal or the starter's death asks for the end."""
        # A fork of the starter may hold the lifeline open: the parent's id tells all the same. The
        # kernel's signal for it (PR_SET_PDEATHSIG) would come when the starting *thread* ends.
        orphaned = not self._detached and os.getppid() != self._plan.starter
        return self._terminated or self._broken or orphaned

    def wait(self) -> list[str]:
        """The commands that came; waits one tick for them, and heeds the lifeline."""
        lifeline = [] if self._detached else [sys.stdin.fileno()]
        ready, _, _ = select.select([*lifeline, self._control], [], [], _TICK_S)
        if set(ready) & set(lifeline):
            self._read_lifeline()
        if self._control not in ready:
            return []
        return os.read(self._control, select.PIPE_BUF).decode().splitlines()

    def _read_lifeline(self) -> None:
        said = os.read(sys.stdin.fileno(), select.PIPE_BUF)
        self._broken = not said
        self._detached = b"detach" in said

    def _terminate(self, *_: object) -> None:
        self._terminated = True


def supervise(supervisor: Supervisor, inbox: Inbox, layout: Layout) -> Ending:
    """Obey and watch until something asks for the end; returns what becomes of the data."""
    attached = True
    while not inbox.abandoned:
        for command in inbox.wait():
            if (ending := supervisor.obey(command)) is not None:
                return ending
        supervisor.reap()
        if attached and inbox.detached:
            _leave_the_starters_files(layout)
            attached = False
    return inbox.ending


def _leave_the_starters_files(layout: Layout) -> None:
    null = os.open(os.devnull, os.O_RDONLY)
    log = os.open(layout.log("supervisor"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for source, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, target)


def _claim(layout: Layout) -> bool:
    """Hold the folder's lock as long as this process lives."""
    for _ in range(_LOCK_TRIES):
        if locks.take(layout.lock) is not None:
            return True
        select.select([], [], [], 0.01)
    return False


def _say(**line: str) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def main() -> int:
    plan = Plan.parse(_first_line())
    layout = Layout(Path(plan.directory or tempfile.mkdtemp(prefix="driftline-servers-")))
    if not _claim(layout):
        _say(error=f"Local servers run in {layout.directory} already; stop them first.")
        return 1
    os.chdir(layout.directory)
    supervisor = Supervisor(plan, layout)
    ending: Ending = "keep" if plan.keep else "remove"
    try:
        supervisor.prepare()
        inbox = Inbox(plan, layout.control)
        _say(directory=str(layout.directory))
        supervisor.begin()
        ending = supervise(supervisor, inbox, layout)
    finally:
        supervisor.end(ending)
        os.chdir("/")
        if ending == "remove":
            folder.remove(layout)
    return 0


def _first_line() -> bytes:
    """The plan's line, unbuffered: what follows it stays in the descriptor for `select`."""
    line = b""
    while not line.endswith(b"\n") and (byte := os.read(sys.stdin.fileno(), 1)):
        line += byte
    return line


if __name__ == "__main__":
    sys.exit(main())
