"""A browser cannot send a bearer token: signing in changes it for a cookie that says who may what.

The cookie holds a role, an end and a seal by a key that is made of the tokens: nothing is stored,
any process of the installation knows it, and another token makes it worthless. Beside it each form
carries a seal of the cookie, which no other site's page can read or guess.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from hmac import compare_digest, digest
from secrets import token_bytes
from typing import Final

from driftline.api.roles import Role
from driftline.runtime.ports import Clock

COOKIE: Final = "driftline_session"
SECONDS: Final = 12 * 3_600


def _key(tokens: Iterable[bytes]) -> bytes:
    """Of the tokens; without any, one of this process alone: then only loopback is served."""
    known = sorted(tokens)
    return sha256(b"\0".join([b"driftline-page", *known])).digest() if known else token_bytes(32)


@dataclass(frozen=True, slots=True)
class Sessions:
    """The cookies of those who signed in."""

    clock: Clock
    tokens: Iterable[bytes] = field(default=(), repr=False)
    _secret: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_secret", _key(self.tokens))

    def issue(self, role: Role) -> str:
        """A cookie for this role, from now on for twelve hours."""
        said = f"{role.name}.{self.clock.now() + SECONDS * 1_000}"
        return f"{said}.{self._seal('session', said)}"

    def role(self, cookie: str) -> Role | None:
        """The role that the cookie stands for; None if it is none of ours, or too old."""
        said, _, seal = cookie.rpartition(".")
        if not said or not compare_digest(seal.encode(), self._seal("session", said).encode()):
            return None
        name, _, end = said.partition(".")
        return Role[name] if int(end) > self.clock.now() else None

    def form_seal(self, cookie: str) -> str:
        """What a form must carry that comes with this cookie (empty: without one)."""
        return self._seal("form", cookie)

    def is_own_form(self, cookie: str, seal: str) -> bool:
        """Whether the form was made here, for who sends it."""
        return compare_digest(seal.encode(), self.form_seal(cookie).encode())

    def _seal(self, purpose: str, said: str) -> str:
        return digest(self._secret, f"{purpose}|{said}".encode(), "sha256").hex()


def cookie_of(header: bytes | None) -> str:
    """Our cookie in a request's `cookie` header; empty if it is not there."""
    for part in (header or b"").decode("latin-1").split(";"):
        name, _, value = part.strip().partition("=")
        if name == COOKIE:
            return value
    return ""
