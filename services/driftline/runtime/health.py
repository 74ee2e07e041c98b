"""Health and metrics on a port of their own: /healthz, /readyz, /metrics."""

from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

FIRST_PORT = 9_100
PORTS_TRIED = 100


@dataclass(slots=True)
class Health:
    """What the probes are told. `not_ready` is the sentence that says what is missing."""

    not_ready: str | None = "starting"
    port: int = 0


def application(health: Health, refresh: Callable[[], None]) -> web.Application:
    """The three pages. They run in the service's own loop: a blocked loop fails the probe."""

    async def healthz(_request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_request: web.Request) -> web.Response:
        if health.not_ready:
            return web.Response(status=503, text=health.not_ready + "\n")
        return web.Response(text="ready\n")

    async def metrics(_request: web.Request) -> web.Response:
        refresh()
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes(
        [web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics)]
    )
    return app


async def serve(health: Health, refresh: Callable[[], None], host: str, port: int) -> web.AppRunner:
    """Listen on `port`, or with 0 on the first free one from 9100 up."""
    runner = web.AppRunner(application(health, refresh), access_log=None)
    await runner.setup()
    ports = [port] if port else range(FIRST_PORT, FIRST_PORT + PORTS_TRIED)
    for candidate in ports:
        try:
            await web.TCPSite(runner, host, candidate).start()
        except OSError:
            continue
        health.port = candidate
        return runner
    await runner.cleanup()
    raise OSError(f"no free port for health and metrics among {ports[0]} to {ports[-1]}")
