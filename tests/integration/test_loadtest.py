"""The load test runs, joins everything and says what it measured."""

from collections.abc import Sequence

import orjson
import pytest

from driftline.servers import LocalServers
from loadtests import pairs

PAIRS = 2_000
FIGURES = {
    "pairs", "joined", "feed_seconds", "joiner", "monitor", "floor_cpu_us_per_pair",
    "joiner_over_floor", "kafka_cpu_us_per_pair", "redis_cpu_us_per_pair", "lag", "lag_left",
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
