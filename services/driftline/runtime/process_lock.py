"""One process per role and replica name on a host, by a lock that a SIGKILL frees."""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from platformdirs import user_state_path

from driftline.runtime.errors import DriftlineError
from driftline.runtime.settings import Settings


@contextmanager
def only_one(settings: Settings, role: str) -> Iterator[None]:
    """Hold the name of this process; DriftlineError when another one has it."""
    path = _path(settings, role)
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DriftlineError(
                f"a {role} named {settings.replica!r} already runs on this host:"
                " give this one another name with DRIFTLINE_REPLICA"
            ) from None
        yield
    finally:
        os.close(descriptor)


def _path(settings: Settings, role: str) -> Path:
    name = "|".join((settings.brokers, settings.topic_prefix, role, settings.replica))
    return _folder() / f"{role}-{sha256(name.encode()).hexdigest()[:16]}.lock"


def _folder() -> Path:
    """The user's state directory; where that cannot be written (containers), the temporary one."""
    for folder in (user_state_path("driftline"), Path(tempfile.gettempdir()) / "driftline"):
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return folder
    raise DriftlineError("neither the state directory nor the temporary one can be written")
