"""Style, script and icon: read once, named by their content so that browsers may keep them."""

from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Final

KINDS: Final = {
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}


@cache
def content(name: str) -> bytes:
    """The bytes of a file that is named in KINDS."""
    return files("driftline.api.page").joinpath("static", name).read_bytes()


@cache
def address(name: str) -> str:
    """Where it is served; another content has another address."""
    return f"/static/{name}?v={sha256(content(name)).hexdigest()[:12]}"
