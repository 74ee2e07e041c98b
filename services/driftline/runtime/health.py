"""Health and metrics on a port of their own: /healthz, /readyz, /metrics."""

from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from driftline.runtime.errors import DriftlineError
from driftline.runtime.loopback import is_loopback, is_own_name

FIRST_PORT = 9_100
PORTS_TRIED = 100


@dataclass(slots=True)
class Health:
    """What the probes are told. `not_ready` is the sentence that says what is missing, `warning`
    the one that says what is wrong with a process that is ready."""

    not_ready: str | None = "starting"
    warning: str | None = None
    port: int = 0


def application(
    health: Health, refresh: Callable[[], None], *, is_local: bool = False
) -> web.Application:
    """The three pages. They run in the service's own loop: a blocked loop fails the probe.
    `is_local`: only this machine may ask, and so only under its own names."""

    async def healthz(_request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_request: web.Request) -> web.Response:
        if health.not_ready:
            return web.Response(status=503, text=health.not_ready + "\n")
        warning = f": {health.warning}" if health.warning else ""
        return web.Response(text=f"ready{warning}\n")

    async def metrics(_request: web.Request) -> web.Response:
        refresh()
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application(middlewares=[own_names_only] if is_local else [])
    app.add_routes(
        [web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics)]
    )
    return app


@web.middleware
async def own_names_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A browser's request under another name may come from that name's page."""
    if not is_own_name(request.headers.get("Host", "")):
        sentence = "Only this machine's own names are answered (see DRIFTLINE_METRICS_HOST).\n"
        return web.Response(status=403, text=sentence)
    return await handler(request)


async def serve(health: Health, refresh: Callable[[], None], host: str, port: int) -> web.AppRunner:
    """Listen on `port`, or with 0 on the first free one from 9100 up. DriftlineError: on none."""
    app = application(health, refresh, is_local=is_loopback(host))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    trouble = ""
    for candidate in [port] if port else range(FIRST_PORT, FIRST_PORT + PORTS_TRIED):
        try:
            await web.TCPSite(runner, host, candidate).start()
        except OSError as error:
            trouble = error.strerror or str(error)
            continue
        health.port = candidate
        return runner
    await runner.cleanup()
    places = str(port) if port else f"{FIRST_PORT} to {FIRST_PORT + PORTS_TRIED - 1}"
    raise DriftlineError(
        f"health and metrics cannot listen on {host}, port {places} ({trouble}): set"
        " DRIFTLINE_METRICS_HOST and DRIFTLINE_METRICS_PORT to what is free, or 0 for any port"
    )
