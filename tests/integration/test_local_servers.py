"""Real servers: they answer, survive kills with their data, and leave nothing behind."""

import json
import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined] # not in its __all__

from driftline.servers import (
    LocalServers,
    ServersError,
    Status,
    default_directory,
    down,
    local_servers,
    status,
    up,
)
from driftline.servers.configuration import Layout
from driftline.servers.ports import free_ports, taken
from driftline.servers.state import living
from tests.waiting import PATIENCE_SECONDS, until

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc"),
]
HOLDER = """
import signal
from driftline.servers import local_servers
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
try:
    with local_servers() as servers:
        print(servers.directory, flush=True)
        signal.pause()
except KeyboardInterrupt:
    pass
"""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where everything that the test starts makes its temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


@pytest.fixture(scope="module")
def servers() -> Iterator[LocalServers]:
    """With a listener behind a proxy's port, so that one pair serves all tests that look at it."""
    with local_servers(proxy_port=free_ports(1)[0]) as running:
        yield running


def _processes(mention: Path) -> list[str]:
    """The command lines of living processes that name the folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found.append(entry.read_bytes().replace(b"\0", b" ").decode())
    return [command for command in found if str(mention) in command]


def _ended(pid: int) -> bool:
    """Whether the process is gone, or only waits to be collected by its parent."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]
    except OSError:
        return True
    return after_name.split()[0] in {"Z", "X"}


def _status(directory: Path) -> Status:
    found = status(directory)
    assert found is not None
    return found


def _nothing_left(found: Status) -> bool:
    pids = (found.supervisor_pid, found.kafka_pid, found.redis_pid)
    return (
        all(pid is not None and _ended(pid) for pid in pids)
        and not _processes(found.directory)
        and taken(found.ports.listening()) is None
        and not found.directory.exists()
    )


def _redis(servers: LocalServers, command: str) -> str:
    port = int(servers.redis_url.rpartition(":")[2].partition("/")[0])
    with socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS) as connection:
        connection.sendall(command.encode() + b"\r\nQUIT\r\n")
        with connection.makefile("rb") as answer:
            return answer.read().decode().removesuffix("+OK\r\n")


def _publish(servers: LocalServers, topic: str, value: bytes) -> None:
    producer = Producer({"bootstrap.servers": servers.brokers, "acks": "all"})
    producer.produce(topic, value, partition=0)
    assert producer.flush(PATIENCE_SECONDS) == 0


def _first(servers: LocalServers, topic: str) -> bytes | None:
    consumer = Consumer({"bootstrap.servers": servers.brokers, "group.id": "reader"})
    consumer.assign([TopicPartition(topic, 0, 0)])
    try:
        return until(
            # Errors tell of a broker that has just come back.
            lambda: [m.value() for m in consumer.consume(1, 1.0) if m.error() is None],
            f"nothing is in {topic}",
        )[0]
    finally:
        consumer.close()


@pytest.fixture
def holder(temporary: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds servers until it is told to end."""
    command = [sys.executable, "-c", HOLDER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def _directory(holder: subprocess.Popen[str]) -> Path:
    assert holder.stdout is not None
    return Path(holder.stdout.readline().strip())


@pytest.mark.parametrize(
    "number",
    [signal.SIGKILL, signal.SIGINT, signal.SIGTERM],
    ids=["killed", "interrupted", "terminated"],
)
def test_nothing_is_left_when_the_parent_is(
    number: signal.Signals, holder: subprocess.Popen[str], temporary: Path
) -> None:
    found = _status(_directory(holder))
    assert found.directory.parent == temporary
    assert len(_processes(found.directory)) == 2
    holder.send_signal(number)
    holder.wait(PATIENCE_SECONDS)
    until(lambda: _nothing_left(found), "something is left")
    assert list(temporary.iterdir()) == []


def test_nothing_is_left_when_the_parent_is_killed_while_kafka_starts(
    holder: subprocess.Popen[str], temporary: Path
) -> None:
    until(lambda: _processes(temporary), "nothing starts", pause=0.01)
    holder.kill()
    holder.wait(PATIENCE_SECONDS)
    until(
        lambda: not _processes(temporary) and list(temporary.iterdir()) == [],
        lambda: f"left: {_processes(temporary)}, {list(temporary.iterdir())}",
    )


def test_nothing_is_left_when_the_supervisor_is_killed(temporary: Path) -> None:
    with local_servers(temporary / "servers") as servers:
        found = _status(servers.directory)
        os.kill(found.supervisor_pid, signal.SIGKILL)
        until(lambda: not _processes(found.directory), "servers are left")
        with pytest.raises(ServersError, match="No local servers run"):
            servers.kill_kafka()
    until(lambda: _nothing_left(found), "something is left")


def test_a_port_that_is_taken_meanwhile_costs_a_second_try(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        clash = stranger.getsockname()[1]
        offers = iter([(clash, *free_ports(3)), *(free_ports(4) for _ in range(4))])
        monkeypatch.setattr("driftline.servers.ports.free_ports", lambda _: next(offers))
        # As if the stranger had come between the look at the port and Kafka's start.
        monkeypatch.setattr("driftline.servers.ports.taken", lambda _: None)
        with local_servers() as servers:
            assert servers.brokers != f"127.0.0.1:{clash}"
    assert list(temporary.iterdir()) == []


def test_a_killed_kafka_comes_back_with_its_records(servers: LocalServers) -> None:
    admin = AdminClient({"bootstrap.servers": servers.brokers})
    admin.create_topics([NewTopic("kept", 1, 1)])["kept"].result(PATIENCE_SECONDS)
    _publish(servers, "kept", b"before the kill")
    servers.kill_kafka()
    assert _status(servers.directory).kafka_pid is None
    servers.start_kafka()
    assert _first(servers, "kept") == b"before the kill"


def test_a_killed_redis_comes_back_with_what_was_synced(servers: LocalServers) -> None:
    assert _redis(servers, "SET kept 7") == "+OK\r\n"
    # WAITAOF is not in this Redis: a rewrite of the file ends with a sync.
    _redis(servers, "BGREWRITEAOF")
    until(lambda: _is_rewritten(_redis(servers, "INFO persistence")), "it is not rewritten")
    servers.kill_redis()
    servers.start_redis()
    assert _redis(servers, "GET kept") == "$1\r\n7\r\n"


def _is_rewritten(persistence: str) -> bool:
    ended = ("aof_rewrite_in_progress:0", "aof_rewrite_scheduled:0", "aof_last_bgrewrite_status:ok")
    return all(each in persistence for each in ended)


def test_the_proxied_listener_sends_clients_to_the_proxy(servers: LocalServers) -> None:
    ports = _status(servers.directory).ports
    assert ports.proxied is not None
    assert servers.proxy_target == f"127.0.0.1:{ports.proxied}"
    assert _advertised_port(ports.proxied) == ports.proxy
    assert _advertised_port(ports.kafka) == ports.kafka


def _advertised_port(port: int) -> int:
    """The first broker's port in the answer to a metadata request (key 3, version 1, no topics).

    Bytes, because a client would go on to the advertised port, where no proxy listens here.
    """
    with socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS) as connection:
        connection.sendall(struct.pack(">ihhihi", 14, 3, 1, 7, -1, 0))
        answer = connection.makefile("rb")
        answer.read(16)  # size, correlation, number of brokers, id of the first
        (host_length,) = struct.unpack(">h", answer.read(2))
        answer.read(host_length)
        (advertised,) = struct.unpack(">i", answer.read(4))
        return int(advertised)


def test_a_kafka_that_cannot_start_is_told_with_its_log(servers: LocalServers) -> None:
    servers.kill_kafka()
    configuration = Layout(servers.directory).server_properties
    whole = configuration.read_text()
    configuration.write_text(whole.replace("node.id=1", "node.id=nonsense"))
    with pytest.raises(ServersError, match=r"Kafka ended with code 1; see .*kafka-failed\.log"):
        servers.start_kafka()
    configuration.write_text(whole)
    servers.start_kafka()
    assert _status(servers.directory).kafka_pid is not None


def test_servers_that_are_up_outlive_the_command_and_keep_data_when_told(tmp_path: Path) -> None:
    directory = tmp_path / "servers"
    _command(f"up(Path({str(directory)!r}))")
    first = _status(directory)
    assert up(directory).brokers == first.brokers  # found, not started again
    with pytest.raises(ServersError, match=r"run in .* already"), local_servers(directory):
        pass
    _redis(up(directory), "SET kept 7")
    _command(f"down(Path({str(directory)!r}), keep=True)")
    assert status(directory) is None
    again = up(directory)
    assert again.brokers == first.brokers
    assert _redis(again, "GET kept") == "$1\r\n7\r\n"
    second = _status(directory)
    assert down(directory) is True
    assert _nothing_left(second)


def _command(call: str) -> None:
    program = f"from pathlib import Path\nfrom driftline.servers import *\n{call}"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=4 * PATIENCE_SECONDS)


def test_nothing_on_the_path_is_needed(temporary: Path) -> None:
    """A machine without Java, Redis or anything else that could be found by name."""
    program = (
        "import json\nfrom driftline.servers import local_servers, status\n"
        "with local_servers() as servers:\n    print(json.dumps(servers.brokers))"
    )
    environment = {
        "HOME": str(temporary),
        "PATH": "/nonexistent",
        "TMPDIR": str(temporary),
        "DRIFTLINE_CACHE_DIR": str(default_directory().parent),
        "DRIFTLINE_MAVEN_URL": "http://127.0.0.1:9",  # nor the network: the cache is full by now
    }
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True,
        timeout=4 * PATIENCE_SECONDS,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(done.stdout).startswith("127.0.0.1:")
    assert list(temporary.iterdir()) == []


def test_the_servers_end_although_a_fork_of_the_parent_lives_on(
    temporary: Path,
) -> None:
    """A forked worker holds a copy of the lifeline; the parent's end counts all the same."""
    program = HOLDER.replace(
        "        signal.pause()",
        "        import os\n        os.fork() or signal.pause()\n        signal.pause()",
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as parent:
        found = _status(_directory(parent))
        os.kill(parent.pid, signal.SIGKILL)
        until(lambda: _nothing_left(found), "something is left")
        os.killpg(parent.pid, signal.SIGKILL)
    assert living(Layout(found.directory)) is None
