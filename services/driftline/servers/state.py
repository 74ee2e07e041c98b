"""What does the supervisor say about its servers, and does it live?"""

import json
import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from driftline.servers.configuration import Layout, Ports
from driftline.servers.locks import held

Server = Literal["kafka", "redis"]
SERVERS: tuple[Server, ...] = ("kafka", "redis")


@dataclass(frozen=True, slots=True)
class ServerState:
    """One server: its process id while it runs, how it ended, how often it was started."""

    pid: int | None = None
    exit_code: int | None = None
    starts: int = 0

    def started(self, pid: int) -> "ServerState":
        return ServerState(pid, None, self.starts + 1)

    def ended(self, exit_code: int) -> "ServerState":
        return replace(self, pid=None, exit_code=exit_code)


@dataclass(frozen=True, slots=True)
class State:
    """The supervisor's state file. `temporary`: the folder goes when the servers end."""

    supervisor: int
    ports: Ports
    temporary: bool
    kafka: ServerState = field(default_factory=ServerState)
    redis: ServerState = field(default_factory=ServerState)

    def of(self, server: Server) -> ServerState:
        return self.kafka if server == "kafka" else self.redis

    def with_server(self, server: Server, now: ServerState) -> "State":
        return replace(self, kafka=now) if server == "kafka" else replace(self, redis=now)

    def write(self, layout: Layout) -> None:
        """Replace the state file in one step, so that a reader sees the old or the new one."""
        draft = layout.state.with_suffix(".new")
        draft.write_text(json.dumps(asdict(self)), encoding="utf-8")
        os.replace(draft, layout.state)


def read(layout: Layout) -> State | None:
    """The last state written in the directory, also by a supervisor that is gone; None: none."""
    try:
        found: dict[str, Any] = json.loads(layout.state.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    return State(
        supervisor=found["supervisor"],
        ports=Ports(**found["ports"]),
        temporary=found["temporary"],
        kafka=ServerState(**found["kafka"]),
        redis=ServerState(**found["redis"]),
    )


def living(layout: Layout) -> State | None:
    """The state of the directory if its supervisor lives."""
    return read(layout) if held(layout.lock) else None


@dataclass(frozen=True, slots=True)
class Status:
    """Servers that run: addresses and process ids (None: that server is down)."""

    directory: Path
    brokers: str
    redis_url: str
    supervisor_pid: int
    kafka_pid: int | None
    redis_pid: int | None
    ports: Ports
