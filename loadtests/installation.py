"""A new installation on real servers, with its roles as processes, for one run of a load test."""

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from time import monotonic, sleep
from typing import Any, Final
from urllib.error import URLError
from urllib.request import urlopen

from confluent_kafka.admin import (  # type: ignore[attr-defined]  # exported, not declared so
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from driftline import servers
from driftline.cli.apply import apply_spec, make_bins
from driftline.cli.spec_file import load_spec
from driftline.cli.topics import init_topics
from driftline.demo.roles import Processes
from driftline.runtime import settings as configuration
from driftline.runtime.errors import DriftlineError
from driftline.runtime.kafka_log import SILENT
from driftline.servers.ports import free_ports
from driftline_schemas.topics import ALERTS, JOURNAL, Topic
from loadtests.events import MODEL, write_spec

READY_SECONDS: Final = 180.0
PATIENCE_SECONDS: Final = 600.0
# Until the bins count. The joiner looks at the registry every second, and applies no prediction
# that came later than its last look plus this lead: with a second of lead it waits for each look.
LEAD_SECONDS: Final = 5


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
class Installation:
    """Servers, a prefix of topics, a folder for its processes, settings that all roles share."""

    found: Servers
    prefix: str
    folder: Path
    shared: Mapping[str, str]

    @property
    def environment(self) -> dict[str, str]:
        """For a process of this installation."""
        return {
            "DRIFTLINE_BROKERS": self.found.brokers,
            "DRIFTLINE_REDIS_URL": self.found.redis_url,
            "DRIFTLINE_TOPIC_PREFIX": self.prefix,
            "FAUST_DATADIR": str(self.folder / "faust"),
            **_variables(self.shared),
        }


@contextmanager
def installation(
    found: Servers, models: Sequence[str] = (MODEL,), **shared: str
) -> Iterator[Installation]:
    """Topics, and for each model a spec with bins for all 20 features, in force.

    `shared`: settings by name. The broker sets the times of journal and alerts, so that they can be
    compared with each other and with those of the inputs.
    """
    shared = {"bins_lead_seconds": str(LEAD_SECONDS), **shared}
    with tempfile.TemporaryDirectory(prefix="driftline-load-") as folder:
        made = Installation(found, f"load-{token_hex(4)}", Path(folder), shared)
        _set_up(made, models)
        yield made


def _set_up(made: Installation, models: Sequence[str]) -> None:
    values: Mapping[str, Any] = made.shared
    settings = configuration.load(brokers=made.found.brokers, topic_prefix=made.prefix, **values)
    init_topics(settings, "loadtest")
    _time_by_broker(made, JOURNAL, ALERTS)
    for model in models:
        file = write_spec(made.folder, model)
        spec = load_spec(file)
        bins = make_bins(file, spec)
        apply_spec(settings, spec, bins, actor="loadtest", reason="load test", agreed=True)
    sleep(LEAD_SECONDS)


def _time_by_broker(made: Installation, *topics: Topic) -> None:
    setting = ConfigEntry(
        "message.timestamp.type", "LogAppendTime",
        incremental_operation=AlterConfigOpType.SET,
    )  # fmt: skip
    changes = [
        ConfigResource(
            ResourceType.TOPIC, topic.full_name(made.prefix), incremental_configs=[setting]
        )
        for topic in topics
    ]
    admin = AdminClient({"bootstrap.servers": made.found.brokers}, logger=SILENT)
    for changed in admin.incremental_alter_configs(changes).values():
        changed.result()


def _variables(settings: Mapping[str, str]) -> dict[str, str]:
    return {f"DRIFTLINE_{name.upper()}": value for name, value in settings.items()}


@dataclass(frozen=True, slots=True)
class Roles:
    """The services of an installation: their process ids by role."""

    pids: dict[str, tuple[int, ...]]
    processes: Processes

    def check(self) -> None:
        """DriftlineError when one has ended by itself."""
        if dead := self.processes.dead():
            raise DriftlineError(f"{dead} ended by itself: {self.processes.log_of(dead)}")

    def wait(self, is_over: Callable[[], bool]) -> None:
        """Until it is. TimeoutError after ten minutes; DriftlineError when a role has ended."""
        give_up = monotonic() + PATIENCE_SECONDS
        while not is_over():
            self.check()
            if monotonic() > give_up:
                raise TimeoutError(f"not done after {PATIENCE_SECONDS:.0f} s")
            sleep(0.1)


@contextmanager
def running(
    made: Installation, counts: Mapping[str, int], **own: Mapping[str, str]
) -> Iterator[Roles]:
    """So many processes of each role, all ready, until the block ends.

    `own`: by role, settings of its own.
    """
    names = [(role, f"{role}-{n}") for role, count in counts.items() for n in range(1, count + 1)]
    with Processes(made.folder, made.environment) as processes:
        pids: dict[str, tuple[int, ...]] = {}
        ports: dict[str, int] = {}
        for (role, name), port in zip(names, free_ports(len(names)), strict=True):
            settings = {"replica": name, "metrics_port": str(port), **own.get(role, {})}
            child = processes.start(name, ["driftline", "run", role], **_variables(settings))
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
