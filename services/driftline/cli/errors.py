"""How a command ends that could not do its work."""

from difflib import get_close_matches

from driftline.runtime.errors import DriftlineError


class CommandError(DriftlineError):
    """One sentence for the person at the terminal; exit code 1."""


class Findings(CommandError):  # noqa: N818 - what a check found, not a failure of the check
    """A check found faults: exit code 1, a line each."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def ended(sentence: str) -> str:
    """With a full stop, unless it ends with a mark of its own."""
    return sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."


def close_to(wanted: str, known: list[str]) -> str:
    """`: did you mean ...?` or nothing."""
    matches = get_close_matches(wanted, known, n=1)
    return f": did you mean {matches[0]!r}?" if matches else ""
