"""An installation of its own for a test: topics, specifications and services as processes."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import orjson
import redis
from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka import TopicPartition as Place
from confluent_kafka.admin import AdminClient
from kafka import TopicPartition
from kafka.admin import KafkaAdminClient, OffsetSpec
from kafka.errors import KafkaError as AdminError

from driftline.cli.topics import init_topics
from driftline.runtime.command_log import CommandLog, CommandNotSentError
from driftline.runtime.errors import DriftlineError
from driftline.runtime.settings import Settings, load
from driftline.servers import LocalServers
from driftline_schemas.registry import RegistryCommand
from driftline_schemas.topics import (
    ALERTS,
    JOURNAL,
    LABELS,
    PREDICTIONS,
    REGISTRY_COMMANDS,
    Topic,
    consumer_group,
)
from tests.waiting import PATIENCE_SECONDS, until

INPUTS: Mapping[str, tuple[Topic, ...]] = {
    "joiner": (PREDICTIONS, LABELS),
    "monitor": (JOURNAL,),
    "learner": (JOURNAL,),
    "alerter": (ALERTS,),
    "registry": (REGISTRY_COMMANDS,),
}


@dataclass(slots=True)
class Installation:
    """Servers, a prefix, and the processes that were started on them."""

    servers: LocalServers
    prefix: str
    folder: Path
    environment: dict[str, str]
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _began: dict[str, int] = field(default_factory=dict)  # where the log of a process begins

    @property
    def settings(self) -> Settings:
        """As the services see them."""
        names = {
            name.removeprefix("DRIFTLINE_").lower(): value
            for name, value in self.environment.items()
        }
        return load(**names)

    @property
    def process_environment(self) -> dict[str, str]:
        """For a process that belongs to this installation."""
        others = {k: v for k, v in os.environ.items() if not k.startswith("DRIFTLINE_")}
        return {**others, **self.environment}

    def start(self, role: str, name: str, **environment: str) -> None:
        """Start one service process under a stable name."""
        with self._log(name).open("ab") as log:
            self._began[name] = log.tell()
            self.running[name] = subprocess.Popen(
                [sys.executable, "-m", "driftline", "run", role],
                env={**self.process_environment, **environment, "DRIFTLINE_REPLICA": name},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def give(self, *commands: RegistryCommand) -> None:
        """Append commands for the registry, one after the other; a broker that is too busy to take
        one in time is given it again, which changes nothing if it had it."""
        log = CommandLog(self.servers.brokers, self.prefix)

        def is_taken(command: RegistryCommand) -> bool:
            try:
                log.append(command)
            except CommandNotSentError:
                return False
            return True

        for each in commands:
            until(partial(is_taken, each), "no broker takes the command")

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to one process."""
        self.running[name].send_signal(number)

    def kill(self, name: str) -> None:
        """SIGKILL."""
        process = self.running.pop(name)
        process.kill()
        process.wait()

    def stop(self, name: str) -> None:
        """SIGTERM. The exit code must be 0."""
        process = self.running.pop(name)
        process.terminate()
        code = process.wait(PATIENCE_SECONDS)
        assert code == 0, f"{name} ended with {code}: {self.log(name)}"

    def log(self, name: str) -> str:
        """What all processes of this name have logged."""
        return self._log(name).read_text()

    def said(self, name: str, event: str) -> dict[str, Any] | None:
        """The first line of this event that the process has logged; None: it has not yet."""
        log = self._log(name).read_bytes()[self._began[name] :]
        for line in log.splitlines(keepends=True):
            if line.startswith(b"{") and line.endswith(b"}\n"):
                found: dict[str, Any] = orjson.loads(line)
                if found["event"] == event:
                    return found
        return None

    def wait_until_said(self, name: str, event: str) -> dict[str, Any]:
        """The line, once it is there."""

        def said() -> dict[str, Any] | None:
            ended = self.running[name].poll() is not None
            found = self.said(name, event)
            assert found or not ended, f"{name} ended: {self.log(name)}"
            return found

        return until(said, lambda: f"{name} does not say {event}: {self.log(name)}")

    def wait_until_ready(self, *names: str) -> None:
        """Until each of these processes says that it is."""
        for name in names:
            self.wait_until_said(name, "ready")

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def lag(self, role: str) -> int:
        """Records of the role's inputs that are not committed yet."""
        ends = self.ends(INPUTS[role])
        committed = self.committed(role)
        return sum(max(0, end - committed.get(tp, 0)) for tp, end in ends.items())

    def ends(self, topics: tuple[Topic, ...]) -> dict[tuple[str, int], int]:
        """End offsets of the topics' partitions."""
        wanted: dict[TopicPartition, Any] = {
            TopicPartition(topic.full_name(self.prefix), p): OffsetSpec.LATEST
            for topic in topics
            for p in range(topic.partitions)
        }
        found = self._asked(lambda admin: admin.list_partition_offsets(wanted))
        return {(tp.topic, tp.partition): place.offset for tp, place in found.items()}

    def committed(self, role: str) -> dict[tuple[str, int], int]:
        """Committed offsets of the role's group."""
        group = consumer_group(self.prefix, role)
        found = self._asked(lambda admin: admin.list_group_offsets(group)).get(group, {})
        return {(tp.topic, tp.partition): place.offset for tp, place in found.items()}

    def _asked(self, question: Callable[[KafkaAdminClient], Any]) -> Any:
        """The broker's answer, however long it takes to come back. (An admin client of librdkafka
        that lives through a restart of the broker does not find its partitions' leaders again.)"""
        give_up = monotonic() + PATIENCE_SECONDS
        while True:
            try:
                admin = KafkaAdminClient(bootstrap_servers=self.servers.brokers)
                try:
                    return question(admin)
                finally:
                    admin.close()
            except AdminError:
                assert monotonic() < give_up, "the broker does not answer"
                sleep(0.5)

    def saved(self, role: str) -> dict[tuple[str, int], int]:
        """Offsets that Redis holds for the role."""
        client = redis.Redis.from_url(self.servers.redis_url)
        group = consumer_group(self.prefix, role)
        found: dict[tuple[str, int], int] = {}
        for key in client.scan_iter(match=f"{{{group}:*"):
            if key.endswith((b":meta", b":state")) and (raw := client.hget(key, "stands_for")):
                partition = int(key.split(b"}")[0].rpartition(b":")[2])
                for topic, offset in orjson.loads(raw)["offsets"].items():
                    found[topic, partition] = offset
        return found

    def wait_for_lag(self, role: str) -> None:
        """Until the role has no lag."""
        until(lambda: self.lag(role) == 0, lambda: f"{role} still lags by {self.lag(role)}")

    def read(self, topic: Topic) -> list[dict[str, object]]:
        """Every record of a topic that is JSON."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.servers.brokers,
                "group.id": "reader",
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
            }
        )
        name = topic.full_name(self.prefix)
        consumer.assign([Place(name, p, 0) for p in range(topic.partitions)])
        records: list[dict[str, object]] = []
        ended: set[int | None] = set()  # a partition ends again when a record follows
        give_up = monotonic() + PATIENCE_SECONDS
        while len(ended) < topic.partitions:
            assert monotonic() < give_up, f"{name} has no end"
            for message in consumer.consume(1_000, 0.2):
                if (error := message.error()) is None:
                    records.append(orjson.loads(message.value() or b"null"))
                elif error.code() == KafkaError._PARTITION_EOF:
                    ended.add(message.partition())
        consumer.close()
        return records

    def close(self) -> None:
        """End what still runs."""
        for process in self.running.values():
            process.kill()
            process.wait()


@contextmanager
def installation(
    servers: LocalServers, prefix: str, folder: Path, **settings: str
) -> Iterator[Installation]:
    """Topics are there, nothing runs yet."""
    environment = {
        "DRIFTLINE_BROKERS": servers.brokers,
        "DRIFTLINE_REDIS_URL": servers.redis_url,
        "DRIFTLINE_TOPIC_PREFIX": prefix,
        "DRIFTLINE_PANE_SECONDS": "5",
        "DRIFTLINE_BINS_LEAD_SECONDS": "2",
        **{f"DRIFTLINE_{name.upper()}": value for name, value in settings.items()},
    }
    made = Installation(servers, prefix, folder, environment)
    until(lambda: is_set_up(made.settings), "the broker does not show all topics")
    try:
        yield made
    finally:
        made.close()
        remove_topics(servers, prefix)


def is_set_up(settings: Settings) -> bool:
    """Create topics as far as they are missing; False if the broker is too busy to show them."""
    try:
        init_topics(settings, "test")
    except DriftlineError:
        return False
    return True


def remove_topics(servers: LocalServers, prefix: str) -> None:
    """Those of a prefix: a killed broker that had those of all tests would come back too slowly."""
    admin = AdminClient({"bootstrap.servers": servers.brokers, "log_level": 0})
    topics = admin.list_topics(timeout=PATIENCE_SECONDS).topics
    if ours := [name for name in topics if name.startswith(prefix)]:
        for removed in admin.delete_topics(ours).values():
            try:
                removed.result(PATIENCE_SECONDS)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:  # gone already
                    raise
