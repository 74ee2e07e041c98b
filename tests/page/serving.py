"""The API over a story, on a free port of this machine."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn

from driftline.api.roles import Role
from tests.page.story import Story
from tests.unit.api.rig import Rig

SIGN_IN = "a-token-for-pictures"


def rig_of(story: Story, tokens: dict[bytes, Role] | None = None) -> Rig:
    """The API over a story whose registry decides on commands."""
    fed = len(story.book.records)
    return Rig(story.book, tokens=tokens or {}, folds=story.folds, fed=fed)


@asynccontextmanager
async def serving(story: Story, *, with_token: bool = False) -> AsyncIterator[str]:
    """Its address."""
    tokens = {SIGN_IN.encode(): Role.operator} if with_token else {}
    rig = rig_of(story, tokens)
    server = uvicorn.Server(uvicorn.Config(rig.app, port=0, log_config=None, lifespan="off"))
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn tells it by this alone
        await asyncio.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await running
