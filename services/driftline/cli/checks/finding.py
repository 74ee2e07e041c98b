"""What a check says."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["ok", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence that says what is, one that says how to mend it (none for `ok`)."""

    check: str
    severity: Severity
    what: str
    mend: str = ""


def error(check: str, what: str, mend: str) -> Finding:
    """Something that is wrong now."""
    return Finding(check, "error", what, mend)


def warning(check: str, what: str, mend: str) -> Finding:
    """Something that will go wrong, or that somebody should look at."""
    return Finding(check, "warning", what, mend)
