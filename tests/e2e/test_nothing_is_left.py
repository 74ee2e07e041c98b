"""Ctrl-C, SIGTERM or a SIGKILL in the middle of the demo leave no process, port or folder."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex

import pytest

from tests.waiting import PATIENCE_SECONDS, until

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks into /proc"),
]

MARK = "DRIFTLINE_E2E_MARK"


@pytest.fixture
def folder() -> Iterator[Path]:
    """A temporary directory that is ours alone."""
    with tempfile.TemporaryDirectory(prefix="driftline-e2e-") as name:
        yield Path(name)


def marked(mark: str) -> list[int]:
    """Processes that have the mark in their environment: whatever was started from ours."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                environment = (process / "environ").read_bytes()
            except OSError:
                continue
            if f"{MARK}={mark}".encode() in environment:
                found.append(int(process.name))
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_demo_leaves_nothing(folder: Path, number: signal.Signals) -> None:
    mark = token_hex(8)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("DRIFTLINE_")}
    demo = subprocess.Popen(
        [sys.executable, "-m", "driftline", "demo", "--json"],
        env={**environment, MARK: mark, "TMPDIR": str(folder)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def runs() -> bool:
        assert demo.poll() is None, "the demo ended"
        return len(marked(mark)) >= 8  # demo, supervisor, Kafka, Redis, three roles, the app

    try:
        until(runs, "the demo did not start")
        demo.send_signal(number)
        assert demo.wait(2 * PATIENCE_SECONDS) != 0  # its children are waited for in turn
    finally:
        demo.kill()
        demo.wait()
    until(lambda: not marked(mark), lambda: f"still there: {marked(mark)}")
    if number is not signal.SIGKILL:  # nobody is left to remove the demo's own small folder
        assert list(folder.iterdir()) == []
    assert not list(folder.glob("driftline-servers-*"))
