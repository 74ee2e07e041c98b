"""The load tests run, lose nothing and say what they measured."""

from collections.abc import Sequence

import orjson
import pytest

from driftline.servers import LocalServers
from loadtests import __main__ as all_parts
from loadtests import pairs, rollback
from tests.marks import long

PAIRS = 2_000
FIGURES = {
    "pairs", "joined", "feed_seconds", "joiner", "monitor", "floor_cpu_us_per_pair",
    "joiner_over_floor", "kafka_cpu_us_per_pair", "redis_cpu_us_per_pair", "lag", "lag_left",
}  # fmt: skip
SWAP_FIGURES = {
    "swaps", "swap_ms", "promotion_ms", "rollback_ms", "requests", "request_ms", "lost",
    "unrecorded",
}  # fmt: skip


@pytest.mark.integration
@pytest.mark.parametrize(
    "options",
    [
        pytest.param(["--joiners", "2"], id="labels soon after, two joiners"),
        pytest.param(["--through-redis"], id="every half through Redis"),
    ],
)
def test_every_pair_is_joined_and_no_lag_is_left(
    servers: LocalServers,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: Sequence[str],
) -> None:
    monkeypatch.setenv("DRIFTLINE_BROKERS", servers.brokers)
    monkeypatch.setenv("DRIFTLINE_REDIS_URL", servers.redis_url)
    assert pairs.main(["--pairs", str(PAIRS), "--json", *options]) == 0
    found = orjson.loads(capsys.readouterr().out)
    assert found.keys() == FIGURES
    assert (found["joined"], found["lag_left"]) == (PAIRS, 0)
    assert found["lag"][-1][1:] == [0, 0]


@pytest.mark.integration
def test_every_swap_is_seen_at_every_scorer_and_no_request_is_lost(
    servers: LocalServers, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One promotion, one rollback. It ends well only if both scorers answered with each version."""
    monkeypatch.setenv("DRIFTLINE_BROKERS", servers.brokers)
    monkeypatch.setenv("DRIFTLINE_REDIS_URL", servers.redis_url)
    asked = ["--swaps", "2", "--scorers", "2", "--rate", "20", "--json"]
    assert rollback.main(asked) == 0
    found = orjson.loads(capsys.readouterr().out)
    assert found.keys() == SWAP_FIGURES
    assert (found["swaps"], found["lost"], found["unrecorded"]) == (2, [], 0)
    assert found["requests"] >= 6  # each scorer with the champion, the promoted one, the champion


@long
@pytest.mark.integration
def test_one_command_measures_throughput_latency_memory_and_alerts(
    servers: LocalServers, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 0 only if every pair was joined, and each model that drifted had its alert."""
    monkeypatch.setenv("DRIFTLINE_BROKERS", servers.brokers)
    monkeypatch.setenv("DRIFTLINE_REDIS_URL", servers.redis_url)
    asked = ["--pairs", "2000", "--rate", "300", "--seconds", "3", "--waiting", "3000"]
    assert all_parts.main([*asked, "--models", "2", "--json"]) == 0
    found = orjson.loads(capsys.readouterr().out)
    assert found["pairs"].keys() == FIGURES
    steady, waiting, alerts = found["latency"], found["waiting"], found["alerting"]
    assert (steady["pairs"], steady["joined"]) == (900, 900)
    assert min(steady["disk_bytes_per_pair"].values()) > 100
    assert steady["joiner_cpu_share"] > 0
    assert waiting["joiner_bytes_in_memory"] > 0
    assert 100 < waiting["redis_bytes"] < waiting["prediction_bytes"]
    assert waiting["joined_redis_bytes"] > 0
    assert alerts["alerts"] >= alerts["models"] == 2
    spreads = [steady["send_to_journal_ms"], alerts["mark_to_alert_ms"]]
    spreads += [alerts["mark_to_webhook_ms"], alerts["due_to_webhook_ms"]]
    for spread in spreads:
        assert 0 < spread["p50"] <= spread["p99"] <= spread["max"]
    assert alerts["due_to_mark_ms"]["p50"] >= 0  # no pane closes before its grace is over
    table = "\n".join(all_parts.lines(found))
    for name in ("raw aiokafka", "send to journal", "waits in Redis", "is joined", "mark to alert"):
        assert name in table


@pytest.mark.parametrize("option", ["--pairs", "--rate", "--seconds", "--waiting", "--models"])
@pytest.mark.parametrize("value", ["0", "-1", "many", "nan"])
def test_an_option_that_is_no_number_over_zero_is_refused_in_a_sentence(
    capsys: pytest.CaptureFixture[str], option: str, value: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        all_parts.main([f"{option}={value}"])
    assert ended.value.code == 2
    assert f"argument {option}: {value} is not a" in capsys.readouterr().err
