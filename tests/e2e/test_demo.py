"""The demo as a user runs it: one command; its figures lie inside the published tolerances."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from driftline.demo.segments import KNOWN_ROWS, LAST_ROW, ROTATED
from driftline.demo.stream import LABEL_DELAY
from driftline.servers import local_servers
from tests.marks import long
from tests.verifier.learning import verify_learning

pytestmark = pytest.mark.integration

NOTHING: Mapping[str, str] = {}
STREAMED_ROWS = LAST_ROW + 1 - KNOWN_ROWS
LABELLED = STREAMED_ROWS - LABEL_DELAY


def demo(folder: Path, *arguments: str, settings: Mapping[str, str] = NOTHING) -> dict[str, Any]:
    """Run `driftline demo --json`; nothing of it may be left behind."""
    command = [sys.executable, "-m", "driftline", "demo", "--json", *arguments]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("DRIFTLINE_")}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=1_800, check=False,
        env={**environment, **settings, "TMPDIR": str(folder)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert list(folder.iterdir()) == [], "the demo left temporary files"
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


@pytest.fixture
def folder() -> Iterator[Path]:
    """A temporary directory that is ours alone."""
    with tempfile.TemporaryDirectory(prefix="driftline-e2e-") as name:
        yield Path(name)


@pytest.fixture
def kept() -> Iterator[dict[str, str]]:
    """Servers and artifacts that are still there when the demo is over, as settings."""
    with (
        tempfile.TemporaryDirectory(prefix="driftline-kept-") as name,
        local_servers() as servers,
    ):
        yield {
            "DRIFTLINE_BROKERS": servers.brokers,
            "DRIFTLINE_REDIS_URL": servers.redis_url,
            "DRIFTLINE_TOPIC_PREFIX": "kept",
            "DRIFTLINE_ARTIFACTS_URL": f"file://{name}",
        }


def opened(result: Mapping[str, Any], check: str) -> list[dict[str, int]]:
    return [incident for incident in result["incidents"] if incident["check"] == check]


def assert_complete(result: Mapping[str, Any]) -> None:
    assert result["predictions"] == STREAMED_ROWS
    assert result["joined"] == LABELLED
    assert result["unmatched"] == result["dead_letters"] == 0


def assert_learning_is_exact(kept: Mapping[str, str]) -> None:
    report = verify_learning(
        kept["DRIFTLINE_BROKERS"],
        kept["DRIFTLINE_TOPIC_PREFIX"],
        "segments",
        Path(kept["DRIFTLINE_ARTIFACTS_URL"].removeprefix("file://")),
    )
    assert report.exact, str(report)


def test_the_challenger_takes_over_and_the_champion_comes_back(
    folder: Path, kept: dict[str, str]
) -> None:
    result = demo(folder, settings=kept)
    assert result["fault"] == [1771, 3387]
    assert 1771 <= result["data_alarm"]["row"] <= 2260
    assert result["data_alarm"]["features"] == sorted(ROTATED)
    first, second = opened(result, "error")
    assert 1900 <= first["opened"] <= 1930
    assert first["resolved"] <= 2620
    assert 3540 <= second["opened"] <= 3710
    assert second["resolved"] <= 4250
    takeover, back = result["promotions"]
    assert takeover["who"] == "softmax"
    assert 2205 <= takeover["row"] <= 2270
    assert back["who"] == "frozen"
    assert back["row"] <= 4080
    for promotion in (takeover, back):
        assert promotion["n"] >= 200
        assert promotion["lower"] > 0
        assert promotion["challenger"] - promotion["champion"] >= 0.03
    assert 0.76 <= result["served_accuracy"] <= 0.80
    assert 0.59 <= result["frozen_accuracy"] <= 0.62
    assert result["rollback_seconds"] is not None  # every scorer confirmed it
    assert_complete(result)
    assert_learning_is_exact(kept)


@long
def test_a_learner_that_is_killed_twenty_times_learns_the_same(
    folder: Path, kept: dict[str, str]
) -> None:
    """Promotions come later; versions, state hashes and gate numbers are those of the journal."""
    result = demo(folder, "--kills", "20", settings=kept)
    assert_complete(result)
    assert result["promotions"]
    assert_learning_is_exact(kept)


def test_without_a_fault_nobody_is_woken_and_nobody_takes_over(folder: Path) -> None:
    result = demo(folder, "--no-fault")
    assert result["fault"] is None
    assert result["data_alarm"] is None
    assert result["incidents"] == result["promotions"] == []
    assert result["alerts_delivered"] == 0
    assert result["served_accuracy"] > 0.85
    assert_complete(result)


@long
def test_another_fault_moves_everything_with_it(folder: Path) -> None:
    result = demo(folder, "--fault-at", ".5", "--seed", "7")
    first = KNOWN_ROWS + STREAMED_ROWS // 2
    moved = first - 1771
    assert result["fault"] == [first, first + 1616]
    assert first <= result["data_alarm"]["row"] <= first + 489
    assert result["data_alarm"]["features"] == sorted(ROTATED)
    errors = opened(result, "error")
    assert first + 41 + LABEL_DELAY - 20 <= errors[0]["opened"] <= 2100 + moved
    assert errors[0]["resolved"] < first + 1616  # by the takeover, while the fault lasts
    takeover = result["promotions"][0]
    assert takeover["who"] == "softmax"
    assert 2205 + moved - 60 <= takeover["row"] <= 2270 + moved + 60
    assert_complete(result)


@long
def test_a_model_that_is_served_outside_is_watched_all_the_same(folder: Path) -> None:
    result = demo(folder, "--frozen")
    assert 1771 <= result["data_alarm"]["row"] <= 2260
    assert result["data_alarm"]["features"] == sorted(ROTATED)
    (error,) = opened(result, "error")
    assert 1900 <= error["opened"] <= 1930
    assert 3640 <= error["resolved"] <= 3700
    assert len(opened(result, "data")) == 1
    assert 0.59 <= result["served_accuracy"] <= 0.62
    assert result["alerts_delivered"] >= 8  # both incidents open and resolve in both channels
    assert_complete(result)
