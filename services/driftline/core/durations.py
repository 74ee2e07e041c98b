"""How long is a duration of a specification?"""

from typing import Final

UNITS: Final = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def duration_ms(text: str) -> int:
    """`250ms`, `60s`, `5m`, `12h`, `7d` as milliseconds."""
    number = text.rstrip("mshd")
    return int(number) * UNITS[text[len(number) :]]
