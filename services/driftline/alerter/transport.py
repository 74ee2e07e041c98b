"""One POST over HTTP, bounded in time and size, that leaks no URL."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from socket import inet_aton
from typing import Final

import httpx

from driftline.alerter.channel import Request
from driftline.runtime.errors import DriftlineError

CONNECT_SECONDS: Final = 5.0
TOTAL_SECONDS: Final = 15.0  # also ends an answer that drips in byte by byte
MAX_ANSWER_BYTES: Final = 4_096  # what is kept of an answer; the rest is not read
NOT_PACKED: Final = {"accept-encoding": "identity"}
LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
# Where clouds tell their machines secrets, beside the link-local 169.254.169.254.
METADATA: Final = frozenset(
    {
        "metadata.google.internal", "metadata.goog", "metadata", "instance-data",
        "fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "192.0.0.192", "168.63.129.16",
    }
)  # fmt: skip


class UnreachableError(Exception):
    """No answer; the message is a word for the log, without the URL."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers (case ignored) and the beginning of the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def check_destination(url: str, setting: str) -> None:
    """DriftlineError unless it is https, or http to this machine; private networks are common, but
    no channel is link-local. The URL is not repeated."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        raise DriftlineError(f"{setting} is not a URL") from None
    safe = parsed.scheme == "https" or (parsed.scheme == "http" and parsed.host in LOOPBACK)
    if not safe or not parsed.host:
        raise DriftlineError(f"{setting} must be an https URL (http only to this machine)")
    if _is_forbidden(parsed.host.rstrip(".").lower()):
        raise DriftlineError(f"{setting} leads to a cloud's metadata or a link-local address")


def _is_forbidden(host: str) -> bool:
    address = _address(host)
    return host in METADATA or (
        address is not None and (address.is_link_local or str(address) in METADATA)
    )


def _address(host: str) -> IPv4Address | IPv6Address | None:
    """As the resolver reads it, which takes `2852039166` and `0xa9fea9fe` too; None for a name."""
    try:
        return IPv4Address(inet_aton(host))
    except OSError:
        pass
    try:
        address = IPv6Address(host.partition("%")[0])
    except ValueError:
        return None
    return address.ipv4_mapped or address


def new_client(url: str) -> httpx.AsyncClient:
    """A client for one channel, so that a hanging one takes no connection from another.

    No redirects: the secret must not follow them. Loopback never goes through a proxy.
    """
    _silence_httpx()
    return httpx.AsyncClient(
        timeout=httpx.Timeout(TOTAL_SECONDS, connect=CONNECT_SECONDS),
        follow_redirects=False,
        trust_env=httpx.URL(url).host not in LOOPBACK,
    )


async def post(client: httpx.AsyncClient, request: Request) -> Answer:
    """Send it once; UnreachableError when no whole answer came within 15 s."""
    try:
        async with asyncio.timeout(TOTAL_SECONDS):
            return await _post(client, request)
    except (TimeoutError, httpx.TimeoutException):
        raise UnreachableError("timeout") from None
    except httpx.HTTPError as error:  # its text and its request name the URL
        raise UnreachableError(type(error).__name__) from None


async def _post(client: httpx.AsyncClient, request: Request) -> Answer:
    """The answer's bytes as they came: a few of them, inflated, could fill the memory."""
    async with client.stream(
        "POST", request.url, content=request.body, headers={**request.headers, **NOT_PACKED}
    ) as response:
        body = b""
        async for chunk in response.aiter_raw(MAX_ANSWER_BYTES):
            body += chunk
            if len(body) >= MAX_ANSWER_BYTES:
                break
        return Answer(response.status_code, response.headers, body[:MAX_ANSWER_BYTES])


class _NoUrls(logging.Filter):
    """httpx logs every request with its whole URL."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= logging.WARNING


def _silence_httpx() -> None:
    logger = logging.getLogger("httpx")
    if not any(isinstance(known, _NoUrls) for known in logger.filters):
        logger.addFilter(_NoUrls())
