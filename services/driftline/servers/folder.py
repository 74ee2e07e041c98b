"""Claim the one folder of the servers, and remove what they wrote in it and nothing else."""

import contextlib
import os
import shutil
from pathlib import Path

from driftline.servers import configuration
from driftline.servers.configuration import Layout, Ports
from driftline.servers.errors import ServersError


def check_ours(directory: Path) -> None:
    """Refuse a folder with somebody else's files: the servers' end would remove namesakes.

    Raises:
        ServersError: it is not a folder, or holds files but no mark of earlier servers.
    """
    if directory.exists() and not directory.is_dir():
        raise ServersError(f"{directory} is a file; name a folder for the local servers.")
    layout = Layout(directory)
    if directory.exists() and any(directory.iterdir()) and not layout.lock.exists():
        raise ServersError(
            f"{directory} holds other files; name a new or empty folder for the local servers."
        )


def configure(layout: Layout, ports: Ports) -> None:
    """Make the folders, the configuration files and the named pipe for commands."""
    shutil.rmtree(layout.scratch, ignore_errors=True)  # libraries that killed servers unpacked
    for made in layout.folders():
        made.mkdir(exist_ok=True)
    layout.server_properties.write_text(configuration.server_properties(ports), encoding="utf-8")
    layout.log4j.write_text(configuration.log4j2_properties(), encoding="utf-8")
    layout.redis_conf.write_text(configuration.redis_conf(ports, layout), encoding="utf-8")
    layout.control.unlink(missing_ok=True)
    os.mkfifo(layout.control, 0o600)


def remove(layout: Layout) -> None:
    """Remove what the servers wrote, and the folder too if nothing else is in it."""
    if not layout.lock.exists():  # the mark of our servers
        return
    for made in layout.folders():
        shutil.rmtree(made, ignore_errors=True)
    for file in layout.files():
        file.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # not empty, or gone already
        layout.directory.rmdir()
