"""The demo as a user runs it: one command; its figures lie inside the published tolerances."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from driftline.demo.segments import KNOWN_ROWS, LABEL_DELAY, ROTATED, STREAMED_ROWS

pytestmark = pytest.mark.integration


def demo(folder: Path, *arguments: str) -> dict[str, Any]:
    """Run `driftline demo --json`; nothing of it may be left behind."""
    command = [sys.executable, "-m", "driftline", "demo", "--json", *arguments]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("DRIFTLINE_")}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=400, check=False,
        env={**environment, "TMPDIR": str(folder)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert list(folder.iterdir()) == [], "the demo left temporary files"
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


@pytest.fixture
def folder() -> Any:
    """A temporary directory that is ours alone."""
    with tempfile.TemporaryDirectory(prefix="driftline-e2e-") as name:
        yield Path(name)


def test_the_demo_finds_the_fault_and_sees_it_end(folder: Path) -> None:
    result = demo(folder)
    assert result["fault"] == [1771, 3387]
    assert 1771 <= result["data_alarm"]["row"] <= 2260
    assert result["data_alarm"]["features"] == sorted(ROTATED)
    assert 1900 <= result["incident"]["opened"] <= 1930
    assert 3640 <= result["incident"]["resolved"] <= 3700
    assert result["incidents"] == 2  # one of data, one of errors
    assert 0.59 <= result["frozen_accuracy"] <= 0.62
    assert result["predictions"] == STREAMED_ROWS
    assert result["joined"] == STREAMED_ROWS - LABEL_DELAY
    assert result["unmatched"] == result["dead_letters"] == 0
    assert result["alerts_delivered"] >= 8  # both incidents open and resolve in both channels


def test_without_a_fault_nobody_is_woken(folder: Path) -> None:
    result = demo(folder, "--no-fault")
    assert result["fault"] is None
    assert result["data_alarm"] is None
    assert result["incident"] is None
    assert result["incidents"] == result["alerts_delivered"] == 0
    assert result["frozen_accuracy"] > 0.85


def test_another_fault_moves_everything_with_it(folder: Path) -> None:
    result = demo(folder, "--fault-at", ".5", "--seed", "7")
    first = KNOWN_ROWS + STREAMED_ROWS // 2
    moved = first - 1771
    assert result["fault"] == [first, first + 1616]
    assert first <= result["data_alarm"]["row"] <= first + 489
    assert result["data_alarm"]["features"] == sorted(ROTATED)
    assert first + 41 + LABEL_DELAY - 20 <= result["incident"]["opened"] <= 2100 + moved
    assert 3640 + moved - 60 <= result["incident"]["resolved"] <= 3700 + moved + 60
    assert result["incidents"] == 2
