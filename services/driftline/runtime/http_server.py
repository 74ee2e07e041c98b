"""What processes that answer HTTP share: the socket, and two wrappers of an ASGI application."""

import socket
from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from typing import Any

from driftline.runtime.errors import DriftlineError

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


def listen(host: str, port: int, backlog: int = 512) -> socket.socket:
    """A listening socket. Raises DriftlineError: one sentence with the address."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=backlog)
    except OSError as error:
        raise DriftlineError(
            f"Nobody can listen on {host}:{port}: {error.strerror or error}."
        ) from None


def once(body: bytes, receive: Receive) -> Receive:
    """The body that was read, then whatever comes (the end of the connection)."""
    messages: Iterable[Message] = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def given() -> Message:
        for message in messages:
            return message
        return await receive()

    return given


def with_headers(send: Send, headers: Sequence[tuple[bytes, bytes]]) -> Send:
    """Every answer carries these headers, too."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *headers]}
        await send(message)

    return sending
