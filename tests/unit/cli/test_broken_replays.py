"""A replay that ends too early says how much of the file went out."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson
import pytest
from typer.testing import CliRunner, Result

from driftline.cli import replay_command
from driftline.cli.app import app
from driftline.cli.replay import Row
from driftline.sdk.statistics import Statistics


@dataclass
class Client:
    """Takes everything; `lost` of it does not arrive."""

    lost: int = 0
    taken: int = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close(0)

    def log_prediction(self, **_: Any) -> str:
        self.taken += 1
        return "id"

    def log_label(self, **_: Any) -> bool:
        self.taken += 1
        return True

    def statistics(self) -> Statistics:
        return Statistics(self.taken - self.lost, 0, {}, {})

    def close(self, _timeout: float) -> int:
        return self.lost


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Client:
    client = Client()
    monkeypatch.setattr(replay_command, "_client", lambda *_: client)
    monkeypatch.setattr(replay_command, "meet", lambda *_: None)
    monkeypatch.setattr(replay_command, "ends_of_predictions", lambda *_: {})
    monkeypatch.setattr(replay_command, "used_before", lambda *_: None)
    return client


def replay(file: Path, *more: str) -> Result:
    columns = ["--model", "m", "--prediction", "p", "--label", "y"]
    return CliRunner().invoke(app, ["replay", str(file), *columns, *more])


def rows(folder: Path, good: int, last: bytes = b"") -> Path:
    file = folder / "rows.csv"
    file.write_bytes(b"a,p,y\n" + b"1,x,x\n" * good + last)
    return file


def test_a_row_that_cannot_be_read_is_told_with_what_went_out(
    client: Client, tmp_path: Path
) -> None:
    file = rows(tmp_path, 3_000, b"1,M\xfcnchen,x\n")
    result = replay(file)
    assert result.exit_code == 1
    published = client.taken // 2
    assert 0 < published <= 3_000
    assert result.stderr == (
        f"{file} is not UTF-8. Before that {published:,} rows went out: {2 * published:,} records"
        f" arrived. --from-row {published} goes on after them.\n"
    )


def test_labels_that_were_due_and_records_that_were_lost_are_told(
    client: Client, tmp_path: Path
) -> None:
    client.lost = 2
    file = rows(tmp_path, 1_010, b"1,x\n")
    result = replay(file, "--label-delay", "4rows", "--from-row", "1003")
    assert result.stderr == (
        f"{file}, line 1012: 2 fields instead of 3. Before that 7 rows went out: 8 records arrived,"
        " 2 did not. 4 of their labels were still due. --from-row 1010 goes on after them.\n"
    )


def test_what_fails_before_the_first_row_is_told_alone(client: Client, tmp_path: Path) -> None:
    file = rows(tmp_path, 0, b"1,x\n")
    assert replay(file).stderr == f"{file}, line 2: 2 fields instead of 3.\n"
    assert client.taken == 0


@pytest.mark.parametrize("as_json", [False, True], ids=["for people", "json"])
def test_ctrl_c_is_told_with_what_went_out(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, as_json: bool
) -> None:
    def five(rows: Iterator[Row], _first: int, _last: int | None) -> Iterator[Row]:
        for row in rows:
            if row.number == 5:
                raise KeyboardInterrupt
            yield row

    stopped: Callable[..., Iterator[Row]] = five
    monkeypatch.setattr(replay_command, "within", stopped)
    result = replay(rows(tmp_path, 10), *(["--json"] if as_json else []))
    sentence = (
        "Interrupted. Before that 5 rows went out: 10 records arrived. --from-row 5 goes on after"
        " them."
    )
    assert result.exit_code == 130
    told = orjson.loads(result.stdout)["error"] if as_json else result.stderr.removesuffix("\n")
    assert told == sentence
