"""Who is answered on the port of health and metrics?"""

import httpx
import pytest

from driftline.runtime import health
from driftline.runtime.errors import DriftlineError
from driftline.runtime.health import Health

OWN, FOREIGN = ("127.0.0.1", "localhost:9100", "[::1]:9100"), ("evil.example", "10.0.0.1", "[", "")


@pytest.mark.parametrize(
    ("address", "answered", "refused"),
    [
        pytest.param("127.0.0.1", OWN, FOREIGN, id="on loopback: its own names"),
        pytest.param("0.0.0.0", (*OWN, "joiner:9100", "10.0.0.1"), (), id="for others: any"),
    ],
)
async def test_under_which_names_it_answers(
    address: str, answered: tuple[str, ...], refused: tuple[str, ...]
) -> None:
    state = Health(not_ready=None)
    runner = await health.serve(state, lambda: None, address, 0)
    try:
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{state.port}", trust_env=False
        ) as client:
            for path in ("/healthz", "/readyz", "/metrics"):
                for host in (*answered, *refused):
                    answer = await client.get(path, headers={"Host": host})
                    assert answer.status_code == (200 if host in answered else 403), (path, host)
                    assert host in answered or "driftline_" not in answer.text
    finally:
        await runner.cleanup()


async def test_a_port_that_is_taken_is_one_sentence() -> None:
    first = Health()
    runner = await health.serve(first, lambda: None, "127.0.0.1", 0)
    try:
        with pytest.raises(DriftlineError, match=f"127.0.0.1, port {first.port} .*set DRIFTLINE_"):
            await health.serve(Health(), lambda: None, "127.0.0.1", first.port)
    finally:
        await runner.cleanup()
