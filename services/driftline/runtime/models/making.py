"""Which code and which environment make a model? Part of each recipe."""

import platform
import sys
from importlib.metadata import version
from typing import Final

import numpy as np
from river.__version__ import __version__ as river_version

CODE: Final = f"driftline {version('driftline')}"


def environment() -> dict[str, str]:
    """What may change what a model learns: the same everywhere gives the same bits."""
    return {
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "river": river_version,
        "numpy": np.__version__,
        "machine": platform.machine(),
    }
