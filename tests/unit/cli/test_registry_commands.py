"""Do the commands that write ask for what they need, and say what nobody can read?"""

from collections.abc import Sequence

import pytest
from typer.testing import CliRunner

from driftline.cli.app import app
from driftline.cli.retrain import parse_source


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
    ("text", "source"), [("3..9", [3, 9]), ("a.csv", "a.csv"), ("3..", "3.."), ("٣..9", "٣..9")]
)
def test_a_range_of_the_journal_is_told_from_a_file(text: str, source: object) -> None:
    assert parse_source(text) == source
