"""What is turned away before any route sees it: strangers, other sites' pages, bodies too large, a
crowd."""

import asyncio
from typing import Any, Final
from urllib.parse import quote, urlsplit

import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

from driftline.api.roles import Access, Role
from driftline.api.sessions import Sessions, cookie_of
from driftline.runtime.http_server import once, with_headers
from driftline.runtime.loopback import is_own_name

MAX_BODY_BYTES: Final = 1_000_000
BODY_SECONDS: Final = 10.0
MAX_STRANGERS_BYTES: Final = 10_000  # of a body before who sends it is known: it signs in
MOST_REQUESTS: Final = 200  # at the same time, their bodies read
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
OWN_SITE: Final = frozenset({b"same-origin", b"none"})  # `none`: typed in by the person
JSON, FORM = b"application/json", b"application/x-www-form-urlencoded"
OPEN_PATHS: Final = frozenset({"/sign-in", "/sign-out"})  # and what lies under /static/
POLICY: Final = (
    b"default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self';"
    b" frame-ancestors 'none'"
)
SECURITY_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", POLICY),
    # Not `no-referrer`: with that, browsers send our own forms with `Origin: null`.
    (b"referrer-policy", b"same-origin"),
)


class Turned(Exception):  # noqa: N818 - an outcome of the gate, not a fault
    """A request that goes no further: a status and one sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence


class Gatekeeper:
    """ASGI middleware. The role of who passes is in `scope["state"]["role"]`."""

    def __init__(self, app: ASGIApp, access: Access, sessions: Sessions) -> None:
        self._app = app
        self._access = access
        self._sessions = sessions
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        path = scope["path"]
        role = self._role(path, headers)
        try:
            self._check(scope["method"], path, headers)
            if role is None and not _is_open(path):
                if not is_api(path):
                    await _to_sign_in(send, scope)
                    return
                raise Turned(401, "A bearer token is needed (DRIFTLINE_API_TOKEN).")
            most = MAX_BODY_BYTES if role else MAX_STRANGERS_BYTES
            body = b"" if scope["method"] in SAFE_METHODS else await _body(headers, receive, most)
            if self._running >= MOST_REQUESTS:
                raise Turned(503, f"{MOST_REQUESTS} requests are running already.")
        except Turned as turned:
            await _answer(send, turned)
            return
        scope.setdefault("state", {})["role"] = role
        self._running += 1
        try:
            await self._app(scope, once(body, receive), with_headers(send, SECURITY_HEADERS))
        finally:
            self._running -= 1

    def _role(self, path: str, headers: dict[bytes, bytes]) -> Role | None:
        """By the token; on the page also by the cookie that signing in gave for it."""
        role = self._access.role(headers.get(b"authorization"))
        if role is not None or is_api(path):
            return role
        return self._sessions.role(cookie_of(headers.get(b"cookie")))

    def _check(self, method: str, path: str, headers: dict[bytes, bytes]) -> None:
        host = headers.get(b"host", b"").decode("latin-1")
        if not self._access.tokens and not is_own_name(host):
            raise Turned(403, "Without a token only this machine's own names are answered.")
        if method not in SAFE_METHODS:
            _check_site(headers, host)
            _check_kind(headers, JSON if is_api(path) else FORM)


def is_api(path: str) -> bool:
    """Whether programs ask there; people look at the rest."""
    return path.startswith("/v1/")


def _is_open(path: str) -> bool:
    return path in OPEN_PATHS or path.startswith("/static/")


def _check_site(headers: dict[bytes, bytes], host: str) -> None:
    """A browser says where a request comes from; other clients say nothing."""
    site, origin = headers.get(b"sec-fetch-site"), headers.get(b"origin")
    if site is not None and site not in OWN_SITE:
        raise Turned(403, "Another site's page may not give commands.")
    if origin is not None and _netloc(origin.decode("latin-1")) != host.lower():
        raise Turned(403, "Another site's page may not give commands.")


def _check_kind(headers: dict[bytes, bytes], wanted: bytes) -> None:
    kind = headers.get(b"content-type", b"").split(b";")[0].strip().lower()
    if kind != wanted:
        raise Turned(415, f"The body must be {wanted.decode()}.")


async def _body(headers: dict[bytes, bytes], receive: Receive, most: int) -> bytes:
    said = headers.get(b"content-length", b"0")
    if not said.isdigit() or int(said) > most:
        raise Turned(413, f"A body may have at most {most:,} bytes.")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    raise Turned(400, "The request was broken off.")
                body += message.get("body", b"")
                if len(body) > most:
                    raise Turned(413, f"A body may have at most {most:,} bytes.")
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError:
        raise Turned(408, f"The body did not come within {BODY_SECONDS:g} s.") from None


async def _to_sign_in(send: Send, scope: Scope) -> None:
    """A person comes back to where he wanted to go."""
    asked = scope["path"]
    if query := scope.get("query_string", b""):
        asked = f"{asked}?{query.decode('latin-1')}"
    location = f"/sign-in?then={quote(asked, safe='')}".encode("ascii")
    start: dict[str, Any] = {"type": "http.response.start", "status": 303}
    await with_headers(send, SECURITY_HEADERS)({**start, "headers": [(b"location", location)]})
    await send({"type": "http.response.body", "body": b""})


async def _answer(send: Send, turned: Turned) -> None:
    headers: list[tuple[bytes, bytes]] = [
        (b"content-type", b"application/json"),
        (b"connection", b"close"),  # a body may be left unread
    ]
    if turned.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    start: dict[str, Any] = {"type": "http.response.start", "status": turned.status}
    await with_headers(send, SECURITY_HEADERS)({**start, "headers": headers})
    await send({"type": "http.response.body", "body": orjson.dumps({"error": turned.sentence})})


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""
