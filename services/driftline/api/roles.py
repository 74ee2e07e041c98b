"""Who may do what? The one table of routes, and what a token is worth."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from hmac import compare_digest
from typing import Final

from driftline.api.settings import ApiSettings


class Role(IntEnum):
    """A higher one may do what a lower one may."""

    anyone = 0  # signing in, and what that page looks like
    viewer = 1
    operator = 2


# (method, path) -> least role. A route that is missing here answers nobody.
ROLES: Final[Mapping[tuple[str, str], Role]] = {
    ("GET", "/v1/openapi.json"): Role.viewer,
    ("GET", "/v1/models"): Role.viewer,
    ("GET", "/v1/models/{model:path}/versions"): Role.viewer,
    ("GET", "/v1/models/{model:path}/verdicts"): Role.viewer,
    ("GET", "/v1/models/{model:path}/deployment"): Role.viewer,
    ("GET", "/v1/models/{model:path}"): Role.viewer,
    ("GET", "/v1/alerts"): Role.viewer,
    ("GET", "/v1/commands/{command_id}"): Role.viewer,
    ("POST", "/v1/commands"): Role.operator,
    ("GET", "/"): Role.viewer,
    ("GET", "/model"): Role.viewer,
    ("GET", "/feature"): Role.viewer,
    ("GET", "/versions"): Role.viewer,
    ("GET", "/alerts"): Role.viewer,
    ("GET", "/alert"): Role.viewer,
    ("GET", "/decided"): Role.viewer,
    ("GET", "/promote"): Role.operator,
    ("POST", "/promote"): Role.operator,
    ("GET", "/rollback"): Role.operator,
    ("POST", "/rollback"): Role.operator,
    ("GET", "/sign-in"): Role.anyone,
    ("POST", "/sign-in"): Role.anyone,
    ("POST", "/sign-out"): Role.anyone,
    ("GET", "/static/{name}"): Role.anyone,
}


@dataclass(frozen=True, slots=True)
class Access:
    """What the tokens are worth; without any, everybody on this machine is an operator."""

    tokens: Mapping[bytes, Role]

    @classmethod
    def of(cls, settings: ApiSettings) -> "Access":
        """The access that the settings describe."""
        tokens: dict[bytes, Role] = {}
        if settings.viewer_token:
            tokens[settings.viewer_token.get_secret_value().encode()] = Role.viewer
        if settings.token:
            tokens[settings.token.get_secret_value().encode()] = Role.operator
        return cls(tokens)

    def role(self, authorization: bytes | None) -> Role | None:
        """The role of a request with this header; None: nobody. In constant time per token."""
        if not self.tokens:
            return Role.operator
        scheme, _, given = (authorization or b"").partition(b" ")
        if scheme.lower() != b"bearer":
            return None
        found = None
        for token, role in self.tokens.items():
            if compare_digest(token, given.strip()):
                found = role
        return found
