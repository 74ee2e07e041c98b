"""What do the servers' configuration files and command lines say? Pure text."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Ports:
    """Ports on 127.0.0.1; `proxied` is Kafka's listener behind a fault proxy on port `proxy`."""

    kafka: int
    controller: int
    redis: int
    proxied: int | None = None
    proxy: int | None = None

    def listening(self) -> tuple[int, ...]:
        """The ports on which the servers themselves listen."""
        proxied = () if self.proxied is None else (self.proxied,)
        return (self.kafka, self.controller, self.redis, *proxied)


@dataclass(frozen=True, slots=True)
class Layout:
    """The files of one pair of servers; nothing of them lies outside `directory`."""

    directory: Path

    @property
    def kafka_data(self) -> Path:
        return self.directory / "kafka"

    @property
    def redis_data(self) -> Path:
        return self.directory / "redis"

    @property
    def logs(self) -> Path:
        return self.directory / "logs"

    @property
    def scratch(self) -> Path:
        return self.directory / "tmp"

    @property
    def configuration(self) -> Path:
        return self.directory / "configuration"

    @property
    def server_properties(self) -> Path:
        return self.configuration / "server.properties"

    @property
    def log4j(self) -> Path:
        return self.configuration / "log4j2.properties"

    @property
    def redis_conf(self) -> Path:
        return self.configuration / "redis.conf"

    @property
    def state(self) -> Path:
        return self.directory / "servers.json"

    @property
    def lock(self) -> Path:
        return self.directory / "servers.lock"

    @property
    def control(self) -> Path:
        return self.directory / "control"

    def log(self, server: str) -> Path:
        return self.logs / f"{server}.log"

    def folders(self) -> tuple[Path, ...]:
        return (self.kafka_data, self.redis_data, self.logs, self.scratch, self.configuration)

    def files(self) -> tuple[Path, ...]:
        return (self.state, self.control, self.lock)


def server_properties(ports: Ports) -> str:
    """Kafka's configuration: one node that is broker and controller; data in `kafka`."""
    inside = [("PLAINTEXT", ports.kafka), ("CONTROLLER", ports.controller)]
    advertised = list(inside)
    if ports.proxied is not None:
        inside.append(("PROXY", ports.proxied))
        advertised.append(("PROXY", ports.proxy or ports.proxied))
    security = ",".join(f"{name}:PLAINTEXT" for name, _ in inside)
    return f"""\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{ports.controller}
listeners={_listeners(inside)}
advertised.listeners={_listeners(advertised)}
listener.security.protocol.map={security}
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
# Relative to the working directory: a comma in a path would name a second folder.
log.dirs=kafka
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=4
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
# A killed broker may return when its old session has run out, counted from its restart (9 s by
# default). Shorter still, and a busy machine fences a healthy broker.
broker.session.timeout.ms=4000
broker.heartbeat.interval.ms=1000
num.io.threads=2
num.network.threads=2
"""


def _listeners(listeners: Sequence[tuple[str, int]]) -> str:
    return ",".join(f"{name}://127.0.0.1:{port}" for name, port in listeners)


def log4j2_properties() -> str:
    """Kafka's logging: everything to standard output, which is its log file."""
    return """\
status=warn
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=[%d] %p %m (%c)%n
rootLogger.level=info
rootLogger.appenderRef.console.ref=console
"""


def redis_conf(ports: Ports, layout: Layout) -> str:
    """Redis' configuration: loopback only, an append-only file, no eviction."""
    return f"""\
bind 127.0.0.1
port {ports.redis}
daemonize no
dir {_quoted(layout.redis_data)}
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
# The process list shows the command line, and with it the folder.
set-proc-title no
"""


def _quoted(path: Path) -> str:
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"'


def format_command(
    java: Path, jars: Sequence[Path], layout: Layout, cluster_id: str
) -> tuple[str, ...]:
    """Format Kafka's storage; one that is formatted already is left as it is (-g)."""
    tool = ("kafka.tools.StorageTool", "format", "--standalone", "-g", "-t", cluster_id)
    return (*_java(java, jars, layout, ["-Xmx64m"]), *tool, "-c", str(layout.server_properties))


def kafka_command(java: Path, jars: Sequence[Path], layout: Layout) -> tuple[str, ...]:
    """Run Kafka."""
    return (
        *_java(java, jars, layout, ["-Xms128m", "-Xmx512m"]),
        "kafka.Kafka",
        str(layout.server_properties),
    )


def redis_command(redis_server: Path, layout: Layout) -> tuple[str, ...]:
    """Run Redis."""
    return (str(redis_server), str(layout.redis_conf))


def _java(java: Path, jars: Sequence[Path], layout: Layout, heap: Sequence[str]) -> tuple[str, ...]:
    return (
        str(java),
        *heap,
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-XX:+ExitOnOutOfMemoryError",
        # Java's own traces (performance counters, unpacked native libraries, crash reports) would
        # stay behind in the system's temporary folder after a SIGKILL.
        "-XX:-UsePerfData",
        f"-Djava.io.tmpdir={layout.scratch}",
        f"-XX:ErrorFile={layout.logs / 'java-crash-%p.log'}",
        f"-Dkafka.logs.dir={layout.logs}",
        f"-Dlog4j2.configurationFile={layout.log4j.as_uri()}",
        "-cp",
        os.pathsep.join(map(str, jars)),
    )
