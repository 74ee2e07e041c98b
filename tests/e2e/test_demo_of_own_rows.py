"""The demo over a file of the user's: one command, and the drift that is in it is found."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from driftline.demo.stream import LABEL_DELAY
from tests.marks import long

DATA = Path(__file__).parents[3] / "shared/data/abrupt_insects/abrupt_insects.csv.gz"
ROWS, KNOWN_ROWS, DRIFT = 2_400, 720, 1_775

pytestmark = [
    long,
    pytest.mark.integration,
    pytest.mark.skipif(not DATA.exists(), reason="the data set lies beside the checkout only"),
]


def demo(*arguments: str) -> dict[str, Any]:
    """The result of `driftline demo --json`; nothing of it may be left behind."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("DRIFTLINE_")}
    with tempfile.TemporaryDirectory(prefix="driftline-e2e-") as folder:
        done = subprocess.run(
            [sys.executable, "-m", "driftline", "demo", "--json", *arguments],
            capture_output=True, text=True, timeout=1_800, check=False,
            env={**environment, "TMPDIR": folder},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert list(Path(folder).iterdir()) == [], "the demo left temporary files"
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def test_the_drift_in_a_users_file_is_found_and_a_challenger_takes_over() -> None:
    result = demo("--data", str(DATA), "--rows", str(ROWS))
    assert result["fault"] is None
    assert result["predictions"] == ROWS - KNOWN_ROWS
    assert result["joined"] == ROWS - KNOWN_ROWS - LABEL_DELAY
    assert result["unmatched"] == result["dead_letters"] == 0
    assert {incident["check"] for incident in result["incidents"]} == {"data", "error"}
    assert all(incident["opened"] > DRIFT for incident in result["incidents"])
    (error,) = [i for i in result["incidents"] if i["check"] == "error"]
    assert error["opened"] <= 1_975
    assert DRIFT < result["data_alarm"]["row"] <= 2_300
    takeover = result["promotions"][0]
    assert takeover["who"] == "softmax"
    assert 2_200 <= takeover["row"] <= 2_330
    assert takeover["challenger"] - takeover["champion"] >= 0.3
    assert result["served_accuracy"] > result["frozen_accuracy"]
    assert result["rollback_seconds"] is not None  # every scorer confirmed it
