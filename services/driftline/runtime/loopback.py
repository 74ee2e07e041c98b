"""Which addresses and names are this machine's own?

Under any other name somebody else's DNS may have led a browser here (DNS rebinding), so that his
page reads what only this machine may read.
"""

from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def is_loopback(address: str) -> bool:
    """Whether what listens there can be reached from this machine alone."""
    if address == "localhost":
        return True
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def is_own_name(host: str) -> bool:
    """Whether the header `Host` (`[::1]:8080` is `::1`) calls this machine by a name of its own."""
    try:
        return urlsplit(f"//{host}").hostname in NAMES
    except ValueError:
        return False
