"""A browser cannot send a bearer token: signing in changes it for a cookie that says who may what.

The cookie holds a role, an end, an id and a seal by a key that is made of that role's token: any
process of the installation knows it, another token makes it worthless, and whoever holds a viewer's
token cannot make an operator's cookie. Beside it each form carries a seal of the cookie, which no
other site's page can read or guess. Nothing is stored but what was signed out, until its end, and
by the process that was told so alone.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from hmac import compare_digest, digest
from secrets import token_bytes, token_hex
from typing import Final

from driftline.api.roles import Role
from driftline.runtime.ports import Clock

COOKIE: Final = "driftline_session"
SECONDS: Final = 12 * 3_600
MOST_ENDED: Final = 10_000  # signed out and not yet at their end; then the first ones count again


@dataclass(frozen=True, slots=True)
class Sessions:
    """The cookies of those who signed in, with these tokens."""

    clock: Clock
    tokens: Mapping[bytes, Role] = field(default_factory=dict, repr=False)
    _keys: dict[Role, bytes] = field(init=False, repr=False, default_factory=dict)
    _own: bytes = field(init=False, repr=False, default_factory=lambda: token_bytes(32))
    _ended: OrderedDict[str, int] = field(init=False, repr=False, default_factory=OrderedDict)

    def __post_init__(self) -> None:
        for token, role in self.tokens.items():
            self._keys[role] = sha256(b"driftline-page\0" + token).digest()

    def issue(self, role: Role) -> str:
        """A cookie for this role, from now on for twelve hours."""
        said = f"{role.name}.{self.clock.now() + SECONDS * 1_000}.{token_hex(8)}"
        return f"{said}.{self._seal(role, 'session', said)}"

    def role(self, cookie: str) -> Role | None:
        """The role that the cookie stands for; None if it is none of ours, too old or ended."""
        said, _, seal = cookie.rpartition(".")
        name, _, rest = said.partition(".")
        role = next((role for role in self._keys if role.name == name), None)
        if role is None or not _is_same(seal, self._seal(role, "session", said)):
            return None
        return role if _end(rest) > self.clock.now() and cookie not in self._ended else None

    def end(self, cookie: str) -> None:
        """From now on it is worth nothing here."""
        if self.role(cookie) is None:
            return
        self._ended[cookie] = _end(cookie.partition(".")[2])
        now = self.clock.now()
        while len(self._ended) > MOST_ENDED or next(iter(self._ended.values())) <= now:
            self._ended.popitem(last=False)

    def form_seal(self, role: Role, cookie: str) -> str:
        """What a form must carry that is made for this role, with this cookie (empty: none)."""
        return self._seal(role, "form", cookie)

    def is_own_form(self, role: Role, cookie: str, seal: str) -> bool:
        """Whether the form was made here, for who sends it."""
        return _is_same(seal, self.form_seal(role, cookie))

    def _seal(self, role: Role, purpose: str, said: str) -> str:
        """Without a token everybody here has the role, and one process answers: its secret does."""
        key = self._keys.get(role, self._own)
        return digest(key, f"{purpose}|{said}".encode(), "sha256").hex()


def cookie_of(header: bytes | None) -> str:
    """Our cookie in a request's `cookie` header; empty if it is not there."""
    for part in (header or b"").decode("latin-1").split(";"):
        name, _, value = part.strip().partition("=")
        if name == COOKIE:
            return value
    return ""


def _end(said: str) -> int:
    """Of the end and the id, the end (ms)."""
    return int(said.partition(".")[0])


def _is_same(one: str, other: str) -> bool:
    return compare_digest(one.encode(), other.encode())
