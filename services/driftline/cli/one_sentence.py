"""The one wrapper around all commands: what goes wrong is one sentence and an exit code."""

import os
import sys
from collections.abc import Sequence
from typing import Any

from typer import BadParameter
from typer.core import TyperGroup

from driftline.cli.console import note, put_json
from driftline.cli.errors import Findings
from driftline.cli.extras import missing_extra
from driftline.core.fact_chain import BrokenChainError
from driftline.runtime.errors import DriftlineError


class OneSentence(TyperGroup):
    """Exit codes: 0 done, 1 not done (a sentence says why), 2 wrong usage (Typer's own)."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, **named: Any) -> Any:
        given = list(sys.argv[1:] if args is None else args)
        debug = "--debug" in given or bool(os.environ.get("DRIFTLINE_DEBUG"))
        try:
            return super().main([a for a in given if a != "--debug"], *rest, **named)
        except Exception as error:
            if debug:
                raise
            _say(error, as_json="--json" in given)
            sys.exit(1)

    def invoke(self, ctx: Any) -> Any:
        """Wrong usage is told without the words of the library that found it."""
        try:
            return super().invoke(ctx)
        except BadParameter as error:
            error.message = error.message.removeprefix("Value error, ")
            raise


def _say(error: Exception, *, as_json: bool) -> None:
    if as_json:
        faults = {"faults": error.faults} if isinstance(error, Findings) else {}
        put_json({"error": _sentence(error), **faults})
    else:
        note(_sentence(error))


def _sentence(error: Exception) -> str:
    if isinstance(error, DriftlineError):
        return str(error)
    if isinstance(error, BrokenChainError):
        return f"The registry cannot be followed: {error}."
    if isinstance(error, ModuleNotFoundError) and (sentence := missing_extra(error)):
        return sentence
    return f"Unexpected {type(error).__name__}: {error} (--debug shows where)."
