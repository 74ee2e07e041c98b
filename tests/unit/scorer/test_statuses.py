"""Does everybody hear what this scorer serves?"""

import asyncio
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


def told(recorder: MemoryRecorder) -> list[dict[str, Any]]:
    return [orjson.loads(value) for _, _, value in recorder.records]


async def test_a_status_comes_at_once_on_change_and_every_so_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(statuses, "EVERY_SECONDS", 0.05)
    recorder, clock, versions = MemoryRecorder(), ManualClock(1_000), {"m": "a"}
    status = Statuses("s-1", "t", recorder, clock, lambda: versions, lambda: {"m": 7})
    task = asyncio.create_task(status.run())
    await asyncio.sleep(0.01)
    versions["m"] = "b"
    status.changed()
    await asyncio.sleep(0.01)
    assert [each["versions"] for each in told(recorder)] == [{"m": "a"}, {"m": "b"}]
    assert [each["seqs"] for each in told(recorder)] == [{"m": 7}, {"m": 7}]
    await asyncio.sleep(0.2)
    task.cancel()
    await status.sign_off()
    found = told(recorder)
    assert 4 <= len(found) <= 8
    numbers = [each["seq"] for each in found]
    assert numbers == sorted(set(numbers))
    assert (found[-1]["signed_off"], found[-1]["versions"]) == (True, {})
    assert {key for _, key, _ in recorder.records} == {"s-1"}
    last = decode(ScorerStatus, recorder.records[-1][2])
    deployed = DeployedBody(deployment_seq=8, version_id="c", lineage="l")
    assert confirmations([last], "m", deployed, clock.now()).complete


async def test_a_broker_that_is_away_stops_no_status(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statuses, "EVERY_SECONDS", 0.01)
    recorder = MemoryRecorder(refusing=True)
    status = Statuses("s-1", "t", recorder, ManualClock(1), dict, dict)
    task = asyncio.create_task(status.run())
    await asyncio.sleep(0.05)
    recorder.refusing = False
    await asyncio.sleep(0.05)
    task.cancel()
    assert told(recorder)


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
