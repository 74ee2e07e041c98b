"""Only the locked jars are used, they are fetched once, and a full cache needs no network."""

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from driftline.servers import ServersError, kafka_jars
from driftline.servers.jars import locked_jars
from tests.waiting import PATIENCE_SECONDS

BODIES = {"one": b"the first jar", "two": b"the second jar" * 10_000}
NOWHERE = "http://127.0.0.1:9"


class Mirror(ThreadingHTTPServer):
    """A Maven repository on loopback that counts what is asked of it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Files)
        self.bodies = dict(BODIES)
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Files(BaseHTTPRequestHandler):
    server: Mirror

    def do_GET(self) -> None:
        body = self.server.bodies.get(self.path.split("/")[-3]) if self._is_jar() else None
        self.send_response(200 if body is not None else 404)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def _is_jar(self) -> bool:
        if self.path.endswith(".jar"):
            self.server.asked.append(self.path)
        return self.path.endswith(".jar")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base names it)
        pass


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    with Mirror() as server:
        monkeypatch.setenv("DRIFTLINE_MAVEN_URL", server.url)
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "lock.toml"
    path.write_text("\n".join(_entry(name, body) for name, body in BODIES.items()))
    return path


def _entry(name: str, body: bytes) -> str:
    digest = hashlib.sha256(body).hexdigest()
    coordinate = f'groupId = "org.example"\nartifactId = "{name}"\nversion = "1.0"'
    return f'[[dependencies]]\n{coordinate}\nsha256 = "{digest}"\n'


@pytest.fixture
def full(tmp_path: Path, lock: Path) -> Path:
    """A cache that holds all jars of the lock."""
    folder = tmp_path / "cache" / "kafka-jars"
    folder.mkdir(parents=True)
    for name, body in BODIES.items():
        (folder / f"{name}-1.0.jar").write_bytes(body)
    return folder.parent


def test_the_checked_in_lock_names_the_46_jars_of_kafka_4_3_1() -> None:
    jars = locked_jars()
    assert len(jars) == 46
    assert {jar.version for jar in jars if jar.group == "org.apache.kafka"} == {"4.3.1"}
    assert all(len(jar.sha256) == 64 for jar in jars)


def test_a_full_cache_is_used_without_network(
    full: Path, lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRIFTLINE_MAVEN_URL", NOWHERE)
    assert [path.name for path in kafka_jars(full, lock)] == ["one-1.0.jar", "two-1.0.jar"]


def test_one_flipped_bit_in_the_cache_is_refused_by_name(full: Path, lock: Path) -> None:
    jar = full / "kafka-jars" / "two-1.0.jar"
    body = bytearray(jar.read_bytes())
    body[77_777] ^= 1
    jar.write_bytes(body)
    with pytest.raises(ServersError, match=r"two-1\.0\.jar is not the locked .* remove the file"):
        kafka_jars(full, lock)


def test_a_jar_cut_short_is_refused(full: Path, lock: Path) -> None:
    jar = full / "kafka-jars" / "one-1.0.jar"
    jar.write_bytes(jar.read_bytes()[:-1])
    with pytest.raises(ServersError, match="not the locked"):
        kafka_jars(full, lock)


def test_only_the_absent_jars_are_fetched(full: Path, lock: Path, mirror: Mirror) -> None:
    (full / "kafka-jars" / "one-1.0.jar").unlink()
    kafka_jars(full, lock)
    assert mirror.asked == ["/org/example/one/1.0/one-1.0.jar"]


def test_a_wrong_download_never_enters_the_cache(
    tmp_path: Path, lock: Path, mirror: Mirror
) -> None:
    mirror.bodies["one"] = b"the first jaR"
    with pytest.raises(ServersError, match=r"one-1\.0\.jar that was fetched is not the locked"):
        kafka_jars(tmp_path / "cache", lock)
    assert {path.name for path in (tmp_path / "cache" / "kafka-jars").iterdir()} == {"fetch.lock"}


def test_a_missing_network_is_told_in_one_sentence(
    tmp_path: Path, lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRIFTLINE_MAVEN_URL", NOWHERE)
    with pytest.raises(ServersError, match=r"could not be fetched \(.*ConnectionError\); go onl"):
        kafka_jars(tmp_path / "cache", lock)


def test_a_cache_that_is_no_folder_is_told_in_one_sentence(tmp_path: Path, lock: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(ServersError, match=r"cannot be kept in .*DRIFTLINE_CACHE_DIR"):
        kafka_jars(tmp_path / "cache", lock)


def test_two_processes_at_once_fetch_every_jar_once(
    tmp_path: Path, lock: Path, mirror: Mirror
) -> None:
    program = (
        "import sys; from pathlib import Path; from driftline.servers import kafka_jars;"
        "kafka_jars(Path(sys.argv[1]), Path(sys.argv[2]))"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "cache"), str(lock)]
    both = [subprocess.Popen(command) for _ in range(2)]
    assert [process.wait(PATIENCE_SECONDS) for process in both] == [0, 0]
    assert len(mirror.asked) == len(BODIES)


def test_what_a_killed_fetch_left_is_thrown_away(
    tmp_path: Path, lock: Path, mirror: Mirror
) -> None:
    rest = tmp_path / "cache" / "kafka-jars" / "staging" / "org" / "example" / "one" / "1.0"
    rest.mkdir(parents=True)
    (rest / "one-1.0.jar").write_bytes(b"the fir")
    jars = kafka_jars(tmp_path / "cache", lock)
    assert [jar.read_bytes() for jar in jars] == list(BODIES.values())
    assert not (tmp_path / "cache" / "kafka-jars" / "staging").exists()
