"""The examples and the README's snippets do what they say, as a reader would run them."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from secrets import token_hex
from sqlite3 import Connection, connect
from typing import Any, cast
from urllib.request import urlopen

import orjson
import pytest

from driftline.sdk import Driftline, Statistics
from driftline.servers import LocalServers, kafka_jars
from driftline.servers.ports import free_ports
from driftline_schemas.alerts import Alert
from driftline_schemas.topics import ALERTS, DEAD_LETTERS, JOURNAL
from examples import label_job, subscriber
from tests.integration.installation import Installation, installation
from tests.integration.test_alerts_arrive import alert
from tests.waiting import PATIENCE_SECONDS, until

ROOT = Path(__file__).parents[2]
ENDED_SECONDS = 4 * PATIENCE_SECONDS  # for what takes half a minute

pytestmark = pytest.mark.integration


# --- The three programs, as one story ---


@dataclass(slots=True)
class Reader:
    """Someone who copied examples/ and types the commands of its README."""

    made: Installation
    folder: Path
    port: int = field(default_factory=lambda: free_ports(1)[0])
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def run(self, line: str, *more: str) -> None:
        """A command that ends by itself."""
        done = subprocess.run(
            [*self._words(line), *more], cwd=self.folder, env=self._environment,
            stdin=subprocess.DEVNULL, capture_output=True, timeout=ENDED_SECONDS, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{line}: {done.stderr.decode()}"

    def start(self, line: str) -> None:
        """A command that goes on, known by its line."""
        with self._log(line).open("ab") as log:
            self.running[line] = subprocess.Popen(
                self._words(line), cwd=self.folder, env=self._environment,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def end(self, line: str, number: signal.Signals) -> int:
        """Send a signal; the exit code."""
        process = self.running.pop(line)
        process.send_signal(number)
        return process.wait(PATIENCE_SECONDS)

    def said(self, line: str) -> str:
        """What a command has printed so far."""
        return self._log(line).read_text()

    def close(self) -> None:
        """End what still runs."""
        for process in self.running.values():
            process.kill()
            process.wait()

    @property
    def _environment(self) -> dict[str, str]:
        return {
            **self.made.process_environment,
            "ALERT_HOOK": "tee -a alerts.jsonl",
            "PARCELS_URL": f"http://127.0.0.1:{self.port}/predict",
        }

    def _log(self, line: str) -> Path:
        return self.folder / (re.sub(r"\W+", "-", line) + ".log")

    def _words(self, line: str) -> list[str]:
        """The command as the README has it, run by this Python and on a port of our own."""
        assert line in (ROOT / "examples/README.md").read_text()
        program, *rest = shlex.split(line.replace("8000", str(self.port)))
        return [sys.executable, *([] if program == "python" else ["-m", program]), *rest]


@pytest.fixture
def reader(servers: LocalServers, prefix: str, tmp_path: Path) -> Iterator[Reader]:
    """The topics are there."""
    folder = tmp_path / "examples"
    left_by_a_run = shutil.ignore_patterns("*.db*", "*.jsonl", "*.log")
    shutil.copytree(ROOT / "examples", folder, ignore=left_by_a_run)
    with installation(servers, prefix, tmp_path, pane_seconds="1") as made:
        reader = Reader(made, folder)
        yield reader
        reader.close()


APP = "uvicorn app:app --port 8000"
JOB = "python label_job.py"
SUBSCRIBER = "python subscriber.py"


@pytest.mark.skipif(find_spec("sklearn") is None, reason="scikit-learn is not installed")
def test_an_app_a_label_job_and_a_subscriber_are_one_story(reader: Reader) -> None:
    made = reader.made
    reader.run("python prepare.py")
    reader.run("driftline apply parcels.yaml")
    made.start("joiner", "j1")
    made.start("monitor", "m1")
    for line in (APP, JOB, SUBSCRIBER):
        reader.start(line)
    made.wait_until_ready("j1", "m1")
    until(lambda: answers(reader.port), lambda: reader.said(APP))

    reader.run("python traffic.py 0 600", "--rate", "200")
    reader.end(JOB, signal.SIGKILL)  # labels are left to send, or sent and not noted
    reader.run("python traffic.py 600 1200 --grams", "--rate", "200")
    reader.start(JOB)
    hears(reader, r"OPEN   \w+ parcels error: accuracy fell")
    hears(reader, r"OPEN   \w+ parcels data: 1 of 3 .* weight_kg")

    made.signal("m1", signal.SIGSTOP)  # so that no alert comes between its hook and the note of it
    until(lambda: noted(reader) == newest(made), lambda: reader.said(SUBSCRIBER))
    reader.end(SUBSCRIBER, signal.SIGKILL)
    made.signal("m1", signal.SIGCONT)
    reader.run("python traffic.py 1200 1800", "--rate", "200")
    reader.end(APP, signal.SIGTERM)  # with answers that its SDK has not sent yet
    assert "Application shutdown complete" in reader.said(APP)
    reader.start(SUBSCRIBER)
    hears(reader, r"CLOSE  \w+ parcels error: accuracy is back")
    hears(reader, r"CLOSE  \w+ parcels data: no feature differs")

    until(lambda: len(joined(made, "parcels")) >= 1_800, lambda: made.log("j1"))
    pairs = joined(made, "parcels")
    assert len({pair["prediction_id"] for pair in pairs}) == len(pairs) == 1_800
    assert made.read(DEAD_LETTERS) == []
    made.stop("m1")  # nothing more is published
    published = sorted({revision(each) for each in made.read(ALERTS)})
    until(lambda: len(handled(reader)) >= len(published), lambda: reader.said(SUBSCRIBER))
    assert reader.end(SUBSCRIBER, signal.SIGTERM) == 0
    assert sorted(handled(reader)) == published


def answers(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/openapi.json", timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def hears(reader: Reader, pattern: str) -> None:
    until(lambda: re.search(pattern, reader.said(SUBSCRIBER)), lambda: reader.said(SUBSCRIBER))


def joined(made: Installation, model: str) -> list[dict[str, Any]]:
    return [r for r in made.read(JOURNAL) if r["kind"] == "joined" and r["model"] == model]


def newest(made: Installation) -> dict[str, int]:
    """The last revision of each alert."""
    return dict(sorted(map(revision, made.read(ALERTS))))


def noted(reader: Reader) -> dict[str, int]:
    """The same, as far as the subscriber has noted that it was handled."""
    with closing(connect(reader.folder / "incidents.db")) as database:
        return dict(database.execute("SELECT alert_id, revision FROM incidents"))


def handled(reader: Reader) -> list[tuple[str, int]]:
    """The revisions that the subscriber's hook was given."""
    lines = (reader.folder / "alerts.jsonl").read_bytes().splitlines(keepends=True)
    return [revision(orjson.loads(line)) for line in lines if line.endswith(b"\n")]


def revision(alert: Mapping[str, Any]) -> tuple[str, int]:
    return alert["alert_id"], alert["revision"]


# --- What a crash or a refusal leaves behind ---


@dataclass(slots=True)
class Recorder:
    """Takes the SDK's place: says what it was given, and what became of it."""

    refused: set[str] = field(default_factory=set)
    failed: int = 0
    fail_next: bool = False
    given: list[tuple[str, str]] = field(default_factory=list)

    def log_label(self, *, model: str, prediction_id: str, label: str, labelled_at: str) -> bool:
        assert (model, labelled_at[-1]) == ("parcels", "Z")
        if prediction_id in self.refused:
            return False
        self.given.append((prediction_id, label))
        return True

    def flush(self, timeout: float) -> int:
        self.failed += self.fail_next
        return 0

    def statistics(self) -> Statistics:
        return Statistics(0, 0, {}, {"_MSG_TIMED_OUT": self.failed} if self.failed else {})


@pytest.fixture
def shop() -> Iterator[Connection]:
    """The shop's database, with three deliveries."""
    prepare = (ROOT / "examples/prepare.py").read_text()  # not imported: it needs scikit-learn
    table = re.search(r"CREATE TABLE deliveries \(.*?\n    \)", prepare, re.DOTALL)
    assert table is not None
    with closing(connect(":memory:")) as database:
        database.execute(table[0])
        database.execute(label_job.TABLE)
        for row in (("a", "late"), ("b", "on_time"), ("c", "late")):
            database.execute("INSERT INTO deliveries (prediction_id, outcome) VALUES (?, ?)", row)
        yield database


def send(shop: Connection, recorder: Recorder) -> list[tuple[str, str]]:
    """One round of the job; what it gave to the SDK."""
    recorder.given.clear()
    label_job.send_new(shop, cast("Driftline", recorder))
    return sorted(recorder.given)


def test_labels_that_kafka_did_not_take_are_sent_again(shop: Connection) -> None:
    recorder = Recorder(fail_next=True)
    assert len(send(shop, recorder)) == 3
    recorder.fail_next = False
    assert len(send(shop, recorder)) == 3
    assert send(shop, recorder) == []


def test_a_changed_outcome_is_sent_as_a_correction(shop: Connection) -> None:
    send(shop, recorder := Recorder())
    shop.execute("UPDATE deliveries SET outcome = 'late' WHERE prediction_id = 'b'")
    assert send(shop, recorder) == [("b", "late")]
    assert send(shop, recorder) == []


def test_a_label_that_the_sdk_refuses_is_not_taken_for_sent(shop: Connection) -> None:
    recorder = Recorder(refused={"b"})
    assert send(shop, recorder) == [("a", "late"), ("c", "late")]
    recorder.refused.clear()
    assert send(shop, recorder) == [("b", "on_time")]


def test_a_delivery_of_last_month_is_not_sent(shop: Connection) -> None:
    shop.execute("UPDATE deliveries SET delivered_at = '2020-01-01T00:00:00.000Z'")
    assert send(shop, Recorder()) == []


@pytest.fixture
def incidents() -> Iterator[Connection]:
    """What a subscriber knows: nothing yet."""
    with closing(connect(":memory:")) as known:
        known.execute(subscriber.TABLE)
        yield known


@pytest.mark.parametrize("last", ["resolved", "retracted"])
def test_each_revision_is_handled_once(
    last: str, incidents: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    life: list[Alert] = [alert(1), alert(1, "worse", 2), alert(1, last, 3)]
    for each in [life[0], life[0], life[1], life[0], life[2], life[1], life[2], alert(2)]:
        subscriber.handle(each, incidents)
    done = [line.split()[:2] for line in capsys.readouterr().out.splitlines()]
    end = {"resolved": "CLOSE", "retracted": "CANCEL"}[last]
    known, other = life[0].alert_id, alert(2).alert_id
    assert done == [["OPEN", known], ["WORSE", known], [end, known], ["OPEN", other]]


def test_an_alert_whose_hook_failed_comes_again(
    incidents: Connection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ALERT_HOOK", "false")
    with pytest.raises(SystemExit, match="gets this alert again"):
        subscriber.handle(alert(1), incidents)
    monkeypatch.setenv("ALERT_HOOK", f"tee {tmp_path / 'heard'}")
    subscriber.handle(alert(1), incidents)
    assert orjson.loads((tmp_path / "heard").read_bytes())["alert_id"] == alert(1).alert_id


# --- The snippets of the README ---


@pytest.fixture(scope="module")
def joining(
    servers: LocalServers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """An installation with a joiner."""
    folder = tmp_path_factory.mktemp("joining")
    with installation(servers, f"test-{token_hex(4)}", folder) as made:
        made.start("joiner", "j1")
        made.wait_until_ready("j1")
        yield made


def snippet(language: str) -> str:
    """The block in that language of the section about emitting events."""
    readme = (ROOT / "README.md").read_text()
    section = readme.split("\n## Emit events from your app\n")[1].split("\n## ")[0]
    (block,) = re.findall(rf"^```{language}\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    return str(block)


def meet(made: Installation, prediction_ids: set[str]) -> None:
    """Each is joined, and nothing became a dead letter."""

    def missing() -> set[str]:
        return prediction_ids - {pair["prediction_id"] for pair in joined(made, "credit")}

    until(lambda: not missing() or made.read(DEAD_LETTERS), lambda: f"not joined: {missing()}")
    assert made.read(DEAD_LETTERS) == []
    assert made.running["j1"].poll() is None


def test_the_python_snippet_is_joined(joining: Installation) -> None:
    where = f'"{joining.servers.brokers}", "{joining.prefix}"'
    program = snippet("python").replace('"broker:9092"', where) + "print(prediction_id)\n"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        timeout=ENDED_SECONDS,
        check=True,
        text=True,
    )
    meet(joining, {done.stdout.strip()})


def java(folder: Path) -> list[str]:
    """The command that runs the example in Java."""
    if shutil.which("javac") is None:
        pytest.skip("no JDK")
    return ["java", "-cp", os.pathsep.join(map(str, kafka_jars())), str(folder / "Emit.java")]


def go(folder: Path) -> list[str]:
    """The command that runs the example in Go."""
    if shutil.which("go") is None:
        pytest.skip("no Go")
    fetched = subprocess.run(["go", "mod", "download"], cwd=folder, capture_output=True, text=True)
    if fetched.returncode != 0:
        pytest.skip(f"Go modules cannot be fetched: {fetched.stderr.strip()}")
    subprocess.run(
        ["go", "build", "-o", "emit", "."], cwd=folder, check=True, timeout=ENDED_SECONDS
    )
    return [str(folder / "emit")]


@pytest.mark.parametrize(
    ("language", "source", "command"),
    [("java", "Emit.java", java), ("go", "main.go", go)],
    ids=["java", "go"],
)
def test_the_programs_in_other_languages_are_joined(
    language: str, source: str, command: Callable[[Path], list[str]],
    joining: Installation, tmp_path: Path,
) -> None:  # fmt: skip
    folder = tmp_path / language
    shutil.copytree(ROOT / "examples" / language, folder)
    program = (folder / source).read_text()
    (folder / source).write_text(program.replace('"driftline.', f'"{joining.prefix}.'))
    ids = [f"{language}-{number}" for number in range(40)]  # of many lengths and partitions
    run = [*command(folder), joining.servers.brokers, *ids]
    done = subprocess.run(run, capture_output=True, timeout=ENDED_SECONDS, text=True)
    assert done.returncode == 0, done.stderr
    meet(joining, set(ids))


@pytest.mark.parametrize(
    ("language", "source"), [("java", "java/Emit.java"), ("go", "go/main.go")], ids=["java", "go"]
)
def test_the_snippets_are_parts_of_the_programs(language: str, source: str) -> None:
    lines = iter([line.strip() for line in (ROOT / "examples" / source).read_text().splitlines()])
    wanted = [line.strip() for line in snippet(language).splitlines()]
    assert [line for line in wanted if line not in lines] == []  # each after the one before
