"""Does every command say in one sentence that its server is not there, and soon?"""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import monotonic

import orjson
import pytest
import typer
from typer.core import TyperGroup
from typer.testing import CliRunner

from driftline.cli.app import app
from tests.waiting import PATIENCE_SECONDS

NOBODY = "127.0.0.1:1"  # nothing listens there
SECONDS = 60.0  # no minute is waited for; a slow machine needs some seconds to import
COMMANDS: dict[str, Sequence[str]] = {
    "accept-drift": ["churn", "--reason", "r"],
    "alerts tail": [],
    "apply": ["spec.yaml"],
    "commands": ["c"],
    "deadletters count": [],
    "deadletters list": [],
    "deadletters resend": ["--reason", "misplaced", "--yes"],
    "deadletters show": ["0:1"],
    "doctor": [],
    "gate": ["churn"],
    "hold": ["churn", "--reason", "r"],
    "lag": [],
    "lift": ["churn", "--reason", "r"],
    "models": [],
    "promote": ["churn", "lr/v1", "--reason", "r"],
    "rebuild": ["joiner", "--yes"],
    "replay": ["rows.csv", "--spec", "spec.yaml"],
    "retrain": ["churn", "lr", "--from", "1..2", "--reason", "r"],
    "rollback": ["churn", "--reason", "r"],
    "topics check": [],
    "topics init": [],
    "verify registry": [],
    "versions": ["churn"],
}
A_SCREEN = {"status": ["Servers", "Kafka", "down"]}  # it shows what is down, and what is not
NO_BROKER_NEEDED = {
    "run",  # waits for its servers, one log line per attempt
    "demo", "servers up", "servers down", "servers status",  # they bring their own
}  # fmt: skip
ROWS = "age,plan,predicted,label\n31,gold,1,1\n44,free,0,0\n"
SPEC = """\
model: churn
task: binary
features: [{name: age, kind: numeric}, {name: plan, kind: categorical}]
reference: {file: rows.csv, label: label, prediction: predicted}
"""


def names(group: TyperGroup, before: str = "") -> Iterator[str]:
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from names(command, f"{name} ")
        else:
            yield before + name


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rows.csv").write_text(ROWS)
    (tmp_path / "spec.yaml").write_text(SPEC)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DRIFTLINE_BROKERS", NOBODY)
    monkeypatch.setenv("DRIFTLINE_REDIS_URL", "redis://127.0.0.1:1/0")


def test_no_command_is_forgotten_here() -> None:
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    known = {*COMMANDS, *A_SCREEN, *NO_BROKER_NEEDED}
    new = set(names(group)) - known
    assert {name for name in new if not name.startswith("alerts ")} == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_no_broker_is_one_sentence_and_exit_code_1(name: str) -> None:
    began = monotonic()
    result = CliRunner().invoke(app, [*name.split(), *COMMANDS[name]])
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr == f"No broker answers at {NOBODY}: connection refused.\n"
    assert monotonic() - began < SECONDS


@pytest.mark.parametrize("name", A_SCREEN)
def test_a_screen_shows_what_is_down(name: str) -> None:
    result = CliRunner().invoke(app, [name])
    assert result.exit_code == 1
    assert f"No broker answers at {NOBODY}: connection refused." in result.stdout
    assert "No Redis answers at 127.0.0.1:1/0" in result.stdout
    for word in A_SCREEN[name]:
        assert word in result.stdout
    assert "Traceback" not in result.output


def test_commands_of_the_light_extra_need_no_package_of_the_services() -> None:
    code = (
        "import sys\n"
        "for name in ('redis', 'structlog', 'faust', 'numpy', 'river', 'httpx', 'fsspec',"
        " 'aiohttp', 'prometheus_client', 'zstandard', 'xxhash', 'pyroaring'):\n"
        "    sys.modules[name] = None\n"
        "from driftline.cli.app import app\n"
        "app(['lag'])\n"
    )
    light = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert light.stderr == f"No broker answers at {NOBODY}: connection refused.\n"
    assert light.returncode == 1


def test_what_a_role_says_while_it_is_put_together_is_logged_as_all_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("DRIFTLINE_ARTIFACTS_URL", raising=False)
    learner = subprocess.run(
        [sys.executable, "-m", "driftline", "run", "learner"],
        capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False,
    )  # fmt: skip
    line = orjson.loads(learner.stderr)  # one, and JSON
    assert (line["event"], line["role"]) == ("stopped", "learner")
    assert "set DRIFTLINE_ARTIFACTS_URL" in line["reason"]
    assert learner.returncode == 1
