"""A small HTTP server that plays Slack, PagerDuty and a webhook: it keeps what it gets."""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Literal, Self

import orjson

from driftline.runtime.clock import SystemClock
from driftline.runtime.ports import Clock

Kind = Literal["slack", "pagerduty", "webhook"]
PATHS: Final[Mapping[str, Kind]] = {
    "/services/T000/B000/demo": "slack",
    "/v2/enqueue": "pagerduty",
    "/hooks/demo": "webhook",
}
MAX_BODY_BYTES: Final = 1_048_576


@dataclass(frozen=True, slots=True)
class Answer:
    """What to answer once; `hang` keeps the connection open without a word."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    hang: bool = False


@dataclass(frozen=True, slots=True)
class Received:
    """One request: whose, when (ms since the epoch), its JSON, and the status it got."""

    kind: Kind
    at: int
    body: dict[str, Any]
    status: int


class Receiver:
    """A server on loopback, in a thread of its own, as a context manager."""

    def __init__(
        self,
        *,
        port: int = 0,
        clock: Clock | None = None,
        on_received: Callable[[Received], None] = lambda _: None,
    ) -> None:
        """`on_received` is called for every request, in order, from the server's threads."""
        self.received: list[Received] = []
        self._clock = clock or SystemClock()
        self._on_received = on_received
        self._script: dict[Kind, list[Answer]] = {kind: [] for kind in PATHS.values()}
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._serve, name="receiver", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _serve(self) -> None:
        self._server.serve_forever(poll_interval=0.05)

    def url(self, kind: Kind) -> str:
        """Where to send for one of the three."""
        path = next(path for path, known in PATHS.items() if known == kind)
        return f"http://127.0.0.1:{self._server.server_address[1]}{path}"

    def script(self, kind: Kind, answers: Iterable[Answer]) -> None:
        """The next answers, in order; when they are used up, everything is accepted again."""
        with self._changed:
            self._script[kind].extend(answers)

    def delivered(self, kind: Kind) -> list[dict[str, Any]]:
        """The bodies that were accepted."""
        with self._changed:
            return [r.body for r in self.received if r.kind == kind and r.status < 300]

    def wait_for(self, count: int, seconds: float) -> bool:
        """Whether so many requests have come, waiting at most so long."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self.received) >= count, seconds)

    def take(self, kind: Kind, body: dict[str, Any]) -> Answer:
        """Keep one request; what to answer."""
        with self._changed:
            script = self._script[kind]
            answer = script.pop(0) if script else _accept(kind, body)
            received = Received(kind, self._clock.now(), body, 0 if answer.hang else answer.status)
            self.received.append(received)
            self._on_received(received)
            self._changed.notify_all()
        if answer.hang:
            self._closing.wait()
        return answer


def _accept(kind: Kind, body: dict[str, Any]) -> Answer:
    if kind == "slack":
        return Answer(200, {"Content-Type": "text/html"}, b"ok")
    if kind == "webhook":
        return Answer(204)
    reply = {"status": "success", "message": "Event processed", "dedup_key": body.get("dedup_key")}
    return Answer(202, {"Content-Type": "application/json"}, orjson.dumps(reply))


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 30  # seconds without a byte

        def do_POST(self) -> None:
            kind = PATHS.get(self.path)
            length = int(self.headers.get("Content-Length", 0))
            if kind is None or length > MAX_BODY_BYTES:
                self._answer(Answer(404, body=b"channel_not_found"))
                return
            try:
                body = orjson.loads(self.rfile.read(length))
            except orjson.JSONDecodeError:
                self._answer(Answer(400, body=b"invalid_payload"))
                return
            answer = receiver.take(kind, body)
            if not answer.hang:
                self._answer(answer)

        def _answer(self, answer: Answer) -> None:
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in the base
            """Requests are kept, not logged."""

    return Handler
