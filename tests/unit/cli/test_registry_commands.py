"""Do the commands that write ask for what they need, and say what nobody can read?"""

from collections.abc import Sequence

import pytest
from typer.testing import CliRunner

from driftline.cli.app import app
from driftline.cli.retrain import parse_source

NOBODY = "127.0.0.1:1"  # no broker listens there


@pytest.mark.parametrize(
    "arguments",
    [
        ["promote", "churn", "lr/v1"],
        ["rollback", "churn"],
        ["hold", "churn"],
        ["lift", "churn"],
        ["retrain", "churn", "lr", "--from", "f.csv"],
        ["accept-drift", "churn"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_person_s_write_needs_a_reason(arguments: Sequence[str]) -> None:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert "--reason" in result.stderr


@pytest.mark.parametrize(
    "arguments", [["models"], ["versions", "m"], ["gate", "m"], ["verify", "registry"],
                  ["commands", "x"], ["promote", "m", "v", "--reason", "r"]],
    ids=lambda arguments: arguments[0],
)  # fmt: skip
def test_no_broker_is_one_sentence(
    arguments: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("driftline.runtime.registry_log.SECONDS", 0.5)
    monkeypatch.setattr("driftline.runtime.registry_follower.CALL_SECONDS", 0.5)
    result = CliRunner().invoke(app, [*arguments, "--brokers", NOBODY])
    assert result.exit_code == 1
    assert result.stderr.startswith(f"No broker answers at {NOBODY}")
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "source"), [("3..9", [3, 9]), ("a.csv", "a.csv"), ("3..", "3.."), ("٣..9", "٣..9")]
)
def test_a_range_of_the_journal_is_told_from_a_file(text: str, source: object) -> None:
    assert parse_source(text) == source
