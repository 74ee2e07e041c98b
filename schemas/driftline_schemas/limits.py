"""How large an event may be."""

from typing import Final

MAX_RECORD_BYTES: Final = 256 * 1024
MAX_FEATURES: Final = 1_000
MAX_DEPTH: Final = 8
MAX_FEATURE_STRING_BYTES: Final = 1_024
