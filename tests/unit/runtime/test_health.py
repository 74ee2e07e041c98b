"""Who is answered on the port of health and metrics?"""

import socket

import httpx
import pytest

from driftline.runtime import health
from driftline.runtime.health import Health

OWN, FOREIGN = ("127.0.0.1", "localhost:9100", "[::1]:9100"), ("evil.example", "10.0.0.1", "[", "")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


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
    state, port = Health(not_ready=None), free_port()
    runner = await health.serve(state, lambda: None, address, port)
    try:
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", trust_env=False
        ) as client:
            for path in ("/healthz", "/readyz", "/metrics"):
                for host in (*answered, *refused):
                    answer = await client.get(path, headers={"Host": host})
                    assert answer.status_code == (200 if host in answered else 403), (path, host)
                    assert host in answered or "driftline_" not in answer.text
    finally:
        await runner.cleanup()
