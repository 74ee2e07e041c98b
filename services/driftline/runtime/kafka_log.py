"""Where librdkafka's own lines go: nowhere. What matters is raised, or logged by us."""

import logging
from typing import Final

SILENT: Final = logging.getLogger("driftline.kafka")
SILENT.addHandler(logging.NullHandler())
SILENT.propagate = False
