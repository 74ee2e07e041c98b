"""What is turned away unread: strangers, other sites' pages, bodies too large, a crowd."""

import asyncio
from dataclasses import dataclass
from hmac import compare_digest
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from driftline.runtime.http_server import once, with_headers
from driftline.runtime.loopback import is_own_name
from driftline.scorer.problems import Problem
from driftline_schemas.limits import MAX_RECORD_BYTES

BODY_SECONDS: Final = 10.0
MOST_REQUESTS: Final = 200  # at the same time
RETRY_SECONDS: Final = 1
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
TOO_LARGE: Final = f"A body may have at most {MAX_RECORD_BYTES:,} bytes."
HEADERS: Final = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"))


@dataclass(slots=True)
class Gatekeeper:
    """ASGI middleware; without a token only this machine's own names are answered."""

    app: ASGIApp
    token: bytes | None
    most: int = MOST_REQUESTS
    running: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        send = with_headers(send, HEADERS)
        headers = dict(scope["headers"])
        if self.running >= self.most:
            crowd = Problem(503, f"{self.most} requests are running already.", RETRY_SECONDS)
            await _turn_away(crowd, scope, receive, send)
            return
        self.running += 1
        try:
            await self._admitted(headers, scope, receive, send)
        finally:
            self.running -= 1

    async def _admitted(
        self, headers: dict[bytes, bytes], scope: Scope, receive: Receive, send: Send
    ) -> None:
        try:
            self._check(scope["method"], headers)
            body = b"" if scope["method"] in SAFE_METHODS else await _body(headers, receive)
        except Problem as problem:
            await _turn_away(problem, scope, receive, send)
            return
        await self.app(scope, once(body, receive), send)

    def _check(self, method: str, headers: dict[bytes, bytes]) -> None:
        if self.token is not None:
            scheme, _, given = headers.get(b"authorization", b"").partition(b" ")
            if scheme.lower() != b"bearer" or not compare_digest(given.strip(), self.token):
                raise Problem(401, "A bearer token is needed (DRIFTLINE_SCORER_TOKEN).")
        elif not is_own_name(headers.get(b"host", b"").decode("latin-1")):
            # A name that somebody else's DNS points here would let his page ask us.
            raise Problem(403, "Without a token only this machine's own names are answered.")
        kind = headers.get(b"content-type", b"").split(b";")[0].strip().lower()
        if method not in SAFE_METHODS and kind != b"application/json":
            # A page of another site cannot send this type without asking, and is told no.
            raise Problem(415, "The body must be application/json.")


async def _body(headers: dict[bytes, bytes], receive: Receive) -> bytes:
    said = headers.get(b"content-length", b"0")
    if not said.isdigit() or len(said) > 9 or int(said) > MAX_RECORD_BYTES:
        raise Problem(413, TOO_LARGE)
    message = await _next(receive, BODY_SECONDS)
    body: bytes = message.get("body", b"")
    if not message.get("more_body", False):  # nearly always: no need to collect
        _check_size(body)
        return body
    return await _collected(bytearray(body), receive)


async def _collected(body: bytearray, receive: Receive) -> bytes:
    loop = asyncio.get_running_loop()
    give_up = loop.time() + BODY_SECONDS
    more = True
    while more:
        _check_size(body)
        message = await _next(receive, give_up - loop.time())
        body += message.get("body", b"")
        more = message.get("more_body", False)
    _check_size(body)
    return bytes(body)


def _check_size(body: bytes | bytearray) -> None:
    if len(body) > MAX_RECORD_BYTES:
        raise Problem(413, TOO_LARGE)


async def _next(receive: Receive, seconds: float) -> Message:
    try:
        async with asyncio.timeout(seconds):
            message = await receive()
    except TimeoutError:
        raise Problem(408, f"The body did not come within {BODY_SECONDS:g} s.") from None
    if message["type"] != "http.request":
        raise Problem(400, "The request was broken off.")
    return message


async def _turn_away(problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
    answer = problem.answer()
    answer.headers["connection"] = "close"  # a body may be left unread
    if problem.status == 401:
        answer.headers["www-authenticate"] = "Bearer"
    await answer(scope, receive, send)
