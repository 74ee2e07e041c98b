"""What the starter tells the supervisor, as one line of JSON."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from driftline.servers.configuration import Ports


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run and where; `directory` None asks for a temporary folder.

    `keep` says what becomes of the data when the starter is gone before it said `detach`.
    """

    directory: str | None
    java: str
    jars: tuple[str, ...]
    redis_server: str
    ports: Ports
    starter: int  # process id
    keep: bool = False

    @property
    def java_path(self) -> Path:
        return Path(self.java)

    @property
    def jar_paths(self) -> tuple[Path, ...]:
        return tuple(map(Path, self.jars))

    def line(self) -> bytes:
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def parse(cls, line: bytes) -> "Plan":
        found = json.loads(line)
        return cls(**{**found, "ports": Ports(**found["ports"])})
