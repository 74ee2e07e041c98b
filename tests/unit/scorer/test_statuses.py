"""Does everybody hear what this scorer serves?"""

import asyncio
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from pydantic import SecretStr

from driftline.core.registry.confirmations import confirmations
from driftline.runtime.errors import DriftlineError
from driftline.runtime.http_settings import check, load
from driftline.runtime.memory import ManualClock
from driftline.scorer import statuses
from driftline.scorer.recording import MemoryRecorder
from driftline.scorer.settings import ScorerSettings
from driftline.scorer.statuses import Statuses
from driftline_schemas.codec import decode
from driftline_schemas.control import DeployedBody
from driftline_schemas.registry import ScorerStatus
from tests.waiting import PATIENCE_SECONDS, eventually, leap


def told(recorder: MemoryRecorder) -> list[dict[str, Any]]:
    return [orjson.loads(value) for _, _, value in recorder.records]


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time passes by leaps only."""
    monkeypatch.setattr(statuses, "EVERY_SECONDS", 2 * PATIENCE_SECONDS)


async def heard(recorder: MemoryRecorder, count: int) -> None:
    await eventually(lambda: len(told(recorder)) >= count)


async def test_a_status_comes_at_once_on_change_and_every_so_often() -> None:
    recorder, clock, versions = MemoryRecorder(), ManualClock(1_000), {"m": "a"}
    status = Statuses("s-1", "t", recorder, clock, lambda: versions, lambda: {"m": 7})
    task = asyncio.create_task(status.run())
    await heard(recorder, 1)
    versions["m"] = "b"
    status.changed()
    await heard(recorder, 2)
    assert [each["versions"] for each in told(recorder)] == [{"m": "a"}, {"m": "b"}]
    assert [each["seqs"] for each in told(recorder)] == [{"m": 7}, {"m": 7}]
    for count in (3, 4, 5):
        leap(statuses.EVERY_SECONDS)
        await heard(recorder, count)
    task.cancel()
    await status.sign_off()
    found = told(recorder)
    assert len(found) == 6
    numbers = [each["seq"] for each in found]
    assert numbers == sorted(set(numbers))
    assert (found[-1]["signed_off"], found[-1]["versions"]) == (True, {})
    assert {key for _, key, _ in recorder.records} == {"s-1"}
    last = decode(ScorerStatus, recorder.records[-1][2])
    deployed = DeployedBody(deployment_seq=8, version_id="c", lineage="l")
    assert confirmations([last], "m", deployed, clock.now()).complete


@dataclass
class Counting(MemoryRecorder):
    """Also counts what it was given."""

    tries: int = 0

    async def acknowledged(self, topic: str, key: str, value: bytes) -> None:
        try:
            await MemoryRecorder.acknowledged(self, topic, key, value)
        finally:
            self.tries += 1


async def test_a_broker_that_is_away_stops_no_status() -> None:
    recorder = Counting(refusing=True)
    status = Statuses("s-1", "t", recorder, ManualClock(1), dict, dict)
    task = asyncio.create_task(status.run())
    await eventually(lambda: recorder.tries == 1)
    leap(statuses.EVERY_SECONDS)
    await eventually(lambda: recorder.tries == 2)
    recorder.refusing = False
    leap(statuses.EVERY_SECONDS)
    await heard(recorder, 1)
    task.cancel()


async def test_a_restarted_scorer_counts_on() -> None:
    recorder, clock = MemoryRecorder(), ManualClock(1_000)
    for _ in range(2):
        await Statuses("s-1", "t", recorder, clock, dict, dict).sign_off()
        clock.advance(60_000)
    first, second = told(recorder)
    assert first["seq"] < second["seq"]


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        pytest.param({"host": "0.0.0.0"}, "set DRIFTLINE_SCORER_TOKEN", id="open to all"),
        pytest.param({"token": SecretStr("short")}, "at least 16", id="a short token"),
        pytest.param({"host": "::1"}, None, id="loopback"),
        pytest.param(
            {"host": "0.0.0.0", "token": SecretStr("0123456789abcdef")}, None, id="with a token"
        ),
    ],
)
def test_others_reach_it_with_a_token_only(settings: dict[str, Any], fault: str | None) -> None:
    if fault is None:
        check(ScorerSettings(**settings))
        return
    with pytest.raises(DriftlineError, match=fault):
        check(ScorerSettings(**settings))


def test_settings_come_from_the_environment_and_the_token_from_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    file = tmp_path / "token"
    file.write_text("0123456789abcdef\n")
    monkeypatch.setenv("DRIFTLINE_SCORER_TOKEN_FILE", str(file))
    monkeypatch.setenv("DRIFTLINE_SCORER_RECORDING", "required")
    found = load(ScorerSettings)
    assert found.token is not None
    assert found.token.get_secret_value() == "0123456789abcdef"
    assert (found.recording, found.port, found.host) == ("required", 8081, "127.0.0.1")
    monkeypatch.setenv("DRIFTLINE_SCORER_WARM", "0")
    with pytest.raises(DriftlineError, match=r"DRIFTLINE_SCORER_\.\.\.: warm"):
        load(ScorerSettings)
