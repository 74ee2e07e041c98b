"""Does every mistake at the terminal end in one sentence and the right exit code?"""

import gzip
import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import orjson
import pytest
from typer.testing import CliRunner

from driftline.cli import one_sentence
from driftline.cli.app import app
from driftline.cli.extras import missing_extra
from tests.waiting import PATIENCE_SECONDS

NOBODY = "127.0.0.1:1"  # no broker listens there
SPEC = """\
    model: churn
    task: binary
    features:
      - {name: age, kind: numeric}
      - {name: plan, kind: categorical}
    reference:
      file: reference.csv
      prediction: predicted
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "spec.yaml").write_text(dedent(SPEC))
    (tmp_path / "reference.csv").write_text("age,plan,predicted\n31,gold,yes\n44,,no\n")
    return tmp_path


def failure(*arguments: str | Path) -> str:
    """The one sentence with which the command ended, exit code 1."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    return result.stderr.rstrip()


def test_a_missing_spec_is_named(tmp_path: Path) -> None:
    path = tmp_path / "no.yaml"
    assert failure("apply", path) == f"Cannot read {path}: No such file or directory."


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        pytest.param("model: a\n task: b\n", 2, "not YAML", id="broken indentation"),
        pytest.param("- a\n", 1, "a spec is a mapping", id="a list"),
        pytest.param("model: a\ntask: binary\n", 1, "features is missing, add `features: ...`",
                     id="a key that is missing"),
        pytest.param("model: a\ntask: binary\nfeatures:\n  - {name: x, kind: numeric}\n"
                     "featurs: 3\n", 5, "featurs is not known: did you mean 'features'?",
                     id="a key that is misspelt"),
        pytest.param("model: a\ntask: binary\nfeatures:\n  - {name: x, kind: numeric}\n"
                     "  - name: y\n    kind: number\n", 6,
                     "features.1.kind must be one of 'numeric', 'categorical' or 'boolean'",
                     id="a kind that does not exist"),
        pytest.param("model: 17\ntask: binary\nfeatures:\n  - {name: x, kind: numeric}\n", 1,
                     "model must be a text, put it in quotes", id="a number where a name belongs"),
        pytest.param("model: a\ntask: binary\nfeatures:\n  - {name: x, kind: numeric}\n"
                     "  - {name: x, kind: numeric}\n", 5, "feature 'x' is listed twice",
                     id="a feature twice"),
        pytest.param("model: a\ntask: binary\nfeatures:\n  - {name: x, kind: numeric}\n"
                     "champion: y\n", 5, "champion 'y' is none of the pipelines",
                     id="a champion that is no pipeline"),
        pytest.param("model: a\ntask: binary\nfeatures:\n  - {name: x, kind: numeric}\ntrain:\n"
                     "  y: {file: f.csv}\n", 6, "train.y is none of the pipelines",
                     id="a file for no pipeline"),
        pytest.param("task: binary\nmodel: ''\nfeatures:\n  - {name: x, kind: numeric}\n", 2,
                     "model must be a name of 1 to 128 characters", id="an empty name"),
        pytest.param("model: a\ntask: binary\nfeatures:\n  - {name: x, kind: numeric}\n"
                     "expect: {labels_within: 5 days}\n", 5,
                     "expect.labels_within must be a length of time such as 250ms, 60s, 12h or 7d",
                     id="a length of time in words"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_spec_is_told_with_its_line(
    tmp_path: Path, text: str, line: int, says: str
) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(text)
    sentence = failure("apply", path)
    assert sentence.startswith(f"{path}, line {line}: ")
    assert says in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize("depth", [100, 500, 900, 3_000, 100_000])
def test_a_spec_that_is_nested_too_deep_is_one_sentence(tmp_path: Path, depth: int) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(f"model: {'[' * depth}{']' * depth}")
    sentence = failure("apply", path)
    assert sentence.startswith(f"{path}")
    assert "Unexpected" not in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(b"", "is empty: its first line must name the columns.", id="an empty file"),
        pytest.param(b"age,plann,predicted\n1,a,b\n", "has no column 'plan': did you mean 'plann'?",
                     id="a misspelt column"),
        pytest.param(b"age,plan,predicted\n1,a\n", ", line 2: 2 fields instead of 3.",
                     id="a short row"),
        pytest.param(b"age,plan,predicted\n1,\xff,b\n", "is not UTF-8.", id="Latin-1"),
        pytest.param(b"age,plan,predicted\n", ": the reference has no rows.", id="no rows"),
    ],
)  # fmt: skip
def test_a_bad_reference_is_told_in_one_sentence(folder: Path, content: bytes, says: str) -> None:
    (folder / "reference.csv").write_bytes(content)
    sentence = failure("apply", folder / "spec.yaml", "--brokers", NOBODY)
    assert sentence == f"{folder / 'reference.csv'}" + (says if says[0] in ",:" else f" {says}")


def test_a_gzip_file_that_is_cut_off_is_told(folder: Path) -> None:
    whole = gzip.compress(b"age,plan,predicted\n" + b"1,a,b\n" * 10_000)
    (folder / "reference.csv.gz").write_bytes(whole[: len(whole) // 2])
    spec = folder / "spec.yaml"
    spec.write_text(spec.read_text().replace("reference.csv", "reference.csv.gz"))
    assert failure("apply", spec) == f"{folder / 'reference.csv.gz'} is no whole gzip file."


def test_bins_over_the_limit_are_refused(folder: Path) -> None:
    features = "".join(f"  - {{name: f{i}, kind: categorical}}\n" for i in range(3))
    (folder / "spec.yaml").write_text(
        f"model: m\ntask: binary\nfeatures:\n{features}reference: {{file: reference.csv}}\n"
    )
    rows = "".join(f"{i:0>1000},{i:0>1000},{i:0>1000}\n" for i in range(400))
    (folder / "reference.csv").write_text(f"f0,f1,f2\n{rows}")
    sentence = failure("apply", folder / "spec.yaml")
    assert "over the limit of 900,000: leave out features with long category names" in sentence


def test_with_json_an_error_is_a_json_line(folder: Path) -> None:
    result = CliRunner().invoke(app, ["apply", str(folder / "no.yaml"), "--json"])
    assert result.exit_code == 1
    assert orjson.loads(result.stdout)["error"].startswith("Cannot read")


def test_a_setting_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTLINE_LABEL_HORIZON", "a week")
    assert failure("topics", "check").startswith("DRIFTLINE_LABEL_HORIZON: 'a week' is no duration")


def test_wrong_usage_is_exit_code_2() -> None:
    assert CliRunner().invoke(app, ["replay"]).exit_code == 2
    assert CliRunner().invoke(app, ["run", "baker"]).exit_code == 2
    wrong_pace = CliRunner().invoke(app, ["replay", "x.csv", "--speed", "fast"])
    assert wrong_pace.exit_code == 2
    assert "write rows per second" in wrong_pace.stderr


def test_replay_asks_for_what_it_needs(folder: Path) -> None:
    rows = folder / "reference.csv"
    assert failure("replay", rows) == "Which model is it? Give --spec or --model."
    assert failure("replay", rows, "--model", "m") == (
        "Where do the predictions come from? Give --prediction or --scorer."
    )
    assert failure("replay", rows, "--model", "m", "--prediction", "predictd") == (
        f"{rows} has no column 'predictd': did you mean 'predicted'?"
    )


def test_an_unexpected_error_shows_its_traceback_only_on_request(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("driftline.cli.apply.load_spec", broken)
    assert failure("apply", folder / "spec.yaml") == (
        "Unexpected ZeroDivisionError: a bug (--debug shows where)."
    )
    result = CliRunner().invoke(app, ["apply", str(folder / "spec.yaml"), "--debug"])
    assert isinstance(result.exception, ZeroDivisionError)


@pytest.mark.parametrize(
    ("module", "extra"),
    [("typer", "cli"), ("faust.app", "services"), ("numpy", "services"), ("jgo", "servers")],
)
def test_a_missing_package_names_its_extra(module: str, extra: str) -> None:
    package = module.partition(".")[0]
    assert missing_extra(ModuleNotFoundError(name=module)) == (
        f"This needs the package {package}: run pip install 'driftline[{extra}]'."
    )


def test_a_missing_module_of_ours_is_a_bug_and_no_extra() -> None:
    assert missing_extra(ModuleNotFoundError(name="driftline.nothing")) is None
    error = ModuleNotFoundError("No module named 'driftline.nothing'", name="driftline.nothing")
    assert one_sentence._sentence(error).startswith("Unexpected ModuleNotFoundError")


def test_a_light_install_says_which_extra_the_command_needs() -> None:
    code = (
        "import sys\n"
        "sys.modules['typer'] = None\n"  # what an import of an absent package meets
        "from driftline.__main__ import main\n"
        "main()\n"
    )
    light = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert (light.returncode, light.stdout) == (1, "")
    assert light.stderr == "This needs the package typer: run pip install 'driftline[cli]'.\n"


def test_ctrl_c_while_it_still_imports_ends_it_without_a_word() -> None:
    code = (
        "import sys\n"
        "class Person:\n"
        "    def find_spec(self, name, *rest):\n"
        "        if name == 'typer':\n"
        "            raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Person())\n"
        "from driftline.__main__ import main\n"
        "main()\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, timeout=PATIENCE_SECONDS
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, b"", b"")


@pytest.mark.parametrize(
    "arguments", [["--help"], ["models", "--json", "--brokers", NOBODY]], ids=["help", "an error"]
)
def test_a_reader_that_has_gone_ends_it_without_a_word(arguments: list[str]) -> None:
    """As `| head` does; the error's own line is what it does not read."""
    gone, written = os.pipe()
    os.close(gone)
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "driftline", *arguments],
            stdout=written, stderr=subprocess.PIPE, timeout=PATIENCE_SECONDS,
        )  # fmt: skip
    finally:
        os.close(written)
    assert (ended.returncode, ended.stderr) == (1, b"")
