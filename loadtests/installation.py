"""A new installation on real servers, with its roles as processes, for one run of a load test."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Final
from urllib.error import URLError
from urllib.request import urlopen

from driftline import servers
from driftline.cli.apply import apply_spec, make_bins
from driftline.cli.spec_file import load_spec
from driftline.cli.topics import init_topics
from driftline.demo.roles import Processes
from driftline.runtime import settings as configuration
from driftline.runtime.errors import DriftlineError
from driftline.servers.ports import free_ports
from loadtests.events import write_spec

READY_SECONDS: Final = 180.0
LEAD_SECONDS: Final = 1  # until the bins count


@dataclass(frozen=True, slots=True)
class Servers:
    """Addresses, and process ids where the servers are ours to look at."""

    brokers: str
    redis_url: str
    pids: Mapping[str, tuple[int, ...]]


@contextmanager
def real_servers() -> Iterator[Servers]:
    """The servers that the environment names; otherwise new ones from wheels."""
    if brokers := os.environ.get("DRIFTLINE_BROKERS"):
        yield Servers(brokers, configuration.load().redis_url, {})
        return
    with servers.local_servers() as local:
        found = servers.status(local.directory)
        pids = {"kafka": found.kafka_pid, "redis": found.redis_pid} if found else {}
        yield Servers(local.brokers, local.redis_url, {k: (v,) for k, v in pids.items() if v})


@dataclass(frozen=True, slots=True)
class Roles:
    """The joiners and the monitor: their process ids by role."""

    pids: dict[str, tuple[int, ...]]
    processes: Processes

    def check(self) -> None:
        """DriftlineError when one has ended by itself."""
        if dead := self.processes.dead():
            raise DriftlineError(f"{dead} ended by itself: {self.processes.log_of(dead)}")


def set_up(found: Servers, prefix: str, folder: Path) -> None:
    """Topics, and a spec with bins for all 20 features in force."""
    settings = configuration.load(
        brokers=found.brokers, topic_prefix=prefix, bins_lead_seconds=LEAD_SECONDS
    )
    init_topics(settings, "loadtest")
    file = write_spec(folder)
    spec = load_spec(file)
    bins = make_bins(file, spec)
    apply_spec(settings, spec, bins, actor="loadtest", reason="load test", agreed=True)
    sleep(LEAD_SECONDS)


@contextmanager
def running_roles(
    found: Servers, prefix: str, folder: Path, joiners: int, joiner: Mapping[str, str]
) -> Iterator[Roles]:
    """Joiners (with settings of their own) and a monitor, all ready, until the block ends."""
    environment = {
        "DRIFTLINE_BROKERS": found.brokers,
        "DRIFTLINE_REDIS_URL": found.redis_url,
        "DRIFTLINE_TOPIC_PREFIX": prefix,
        "DRIFTLINE_BINS_LEAD_SECONDS": str(LEAD_SECONDS),
        "FAUST_DATADIR": str(folder / "faust"),
    }
    names = [("joiner", f"joiner-{number}") for number in range(1, joiners + 1)]
    names.append(("monitor", "monitor-1"))
    with Processes(folder, environment) as processes:
        pids: dict[str, tuple[int, ...]] = {}
        ports: dict[str, int] = {}
        for (role, name), port in zip(names, free_ports(len(names)), strict=True):
            own = {"DRIFTLINE_REPLICA": name, "DRIFTLINE_METRICS_PORT": str(port)}
            arguments = ["driftline", "run", role]
            child = processes.start(name, arguments, **own, **(joiner if role == "joiner" else {}))
            pids[role] = (*pids.get(role, ()), child.pid)
            ports[name] = port
        for name, port in ports.items():
            wait_until_ready(processes, name, port)
        yield Roles(pids, processes)


def wait_until_ready(processes: Processes, name: str, port: int) -> None:
    """Until `/readyz` on this port says so. DriftlineError when the process ends, or takes long."""
    give_up = monotonic() + READY_SECONDS
    while not _is_ready(port):
        if processes.dead() or monotonic() > give_up:
            raise DriftlineError(f"{name} did not become ready: {processes.log_of(name)}")
        sleep(0.2)


def _is_ready(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2.0) as answer:
            return int(answer.status) == 200
    except (URLError, OSError):
        return False
