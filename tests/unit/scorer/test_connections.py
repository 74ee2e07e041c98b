"""Do connections that ask nothing keep out those that ask? By the server that the API has, too."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import httpx
import pytest

from driftline.runtime import http_server
from driftline.runtime.errors import DriftlineError
from driftline.runtime.health import Health
from driftline.runtime.http_server import Connection, Server
from driftline.runtime.settings import Settings
from driftline.scorer import gatekeeper
from driftline.scorer.settings import ScorerSettings
from tests.unit.scorer.rig import ROW, Rig
from tests.waiting import PATIENCE_SECONDS, eventually, leap

HEAD_SECONDS = 2 * PATIENCE_SECONDS  # so that time passes by leaps only
PATH = "/v1/models/churn:predict"


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "HEAD_SECONDS", HEAD_SECONDS)


@asynccontextmanager
async def serving(rig: Rig) -> AsyncIterator[tuple[int, Server]]:
    """The scorer's application behind its server; the port, and the server."""
    server = Server(rig.app, idle_seconds=int(10 * HEAD_SECONDS), drain_seconds=1)
    listening = http_server.listen("127.0.0.1", 0)
    running = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield listening.getsockname()[1], server
    finally:
        server.stop()
        await running


async def ask(client: httpx.AsyncClient) -> int:
    return (await client.post(PATH, json={"features": ROW})).status_code


def client_of(port: int) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=PATIENCE_SECONDS,
        limits=httpx.Limits(keepalive_expiry=None),
    )  # fmt: skip


def open_(server: Server) -> set[Connection]:
    """The connections that the server has."""
    return {each for each in server.server_state.connections if isinstance(each, Connection)}


async def test_many_silent_connections_keep_nobody_out_and_are_closed() -> None:
    rig = Rig(most=2)
    await rig.begin()
    async with serving(rig) as (port, server), client_of(port) as client:
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(200)]
        await eventually(lambda: len(open_(server)) == 200)
        unasked = open_(server)
        assert await ask(client) == 200
        leap(HEAD_SECONDS + 1)
        await eventually(lambda: not unasked & open_(server))
        assert {await reader.read() for reader, _ in silent} == {b""}
        kept = open_(server) - unasked
        assert await ask(client) == 200
        assert kept == open_(server) - unasked  # one that asks is kept between its requests
        assert len(kept) == 1
        for _, writer in silent:
            writer.close()


@pytest.mark.parametrize(
    "before",
    [
        pytest.param(b"", id="its first"),
        pytest.param(
            b"GET /v1/models HTTP/1.1\r\nhost: localhost\r\n\r\n", id="one after another request"
        ),
    ],
)
async def test_a_head_that_drips_in_does_not_hold_a_connection(before: bytes) -> None:
    rig = Rig()
    await rig.begin()
    async with serving(rig) as (port, server):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        if before:
            writer.write(before)
            assert (await reader.readuntil(b"}]")).startswith(b"HTTP/1.1 200")
        await eventually(lambda: open_(server))
        (connection,) = open_(server)
        for letter in b"POST /v1/":
            writer.write(bytes([letter]))
            await eventually(lambda: connection._deadline is not None)
            leap(HEAD_SECONDS / 10)
            await asyncio.sleep(0.001)
        assert open_(server) == {connection}  # a head may take its time
        for _ in range(20):
            writer.write(b"m")
            await asyncio.sleep(0.001)
            leap(HEAD_SECONDS / 10)
        await eventually(lambda: not open_(server))
        with suppress(ConnectionError):  # a letter was on its way
            assert await reader.read() == b""
        writer.close()


async def test_a_body_may_take_longer_than_a_head(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gatekeeper, "BODY_SECONDS", 10 * HEAD_SECONDS)
    rig = Rig()
    await rig.begin()
    async with serving(rig) as (port, server):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            f"POST {PATH} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
            "content-length: 15\r\n\r\n".encode()
        )
        await eventually(lambda: [each for each in open_(server) if each.cycle is not None])
        leap(2 * HEAD_SECONDS)
        await asyncio.sleep(0.01)  # a timer that is due would close it in the loop's next turn
        writer.write(b'{"features":{}}')
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        writer.close()


async def test_what_ends_the_work_is_told_in_its_own_words() -> None:
    async def fails(error: Exception) -> None:
        raise error

    async def work() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(fails(KeyError("a bug of ours")))
            tasks.create_task(fails(DriftlineError("Set the variable.")))

    server = Server(Rig().app, idle_seconds=60, drain_seconds=1)
    with pytest.raises(DriftlineError, match=r"Set the variable\."):
        await http_server.answer(server, ScorerSettings(port=0), Settings(), Health(), work)
