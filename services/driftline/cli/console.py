"""Write results to stdout, everything else to stderr; with --json one JSON object a line."""

from getpass import getuser
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console

from driftline.runtime import settings as configuration
from driftline.runtime.settings import Settings

Json = Annotated[bool, typer.Option("--json", help="One JSON object per line, for programs.")]
Brokers = Annotated[
    str | None,
    typer.Option(help="Kafka's addresses (else DRIFTLINE_BROKERS).", metavar="HOST:PORT"),
]
Prefix = Annotated[
    str | None, typer.Option(help="Beginning of topic names (else DRIFTLINE_TOPIC_PREFIX).")
]


def settings_of(brokers: str | None, prefix: str | None) -> Settings:
    """Settings from the environment; what the command line says wins."""
    return configuration.load(brokers=brokers, topic_prefix=prefix)


def this_person() -> str:
    """Who gives the command: every write to the registry names its actor."""
    try:
        return getuser()
    except (KeyError, OSError):  # a container's user often has no name
        return "unknown"


def put_json(value: dict[str, Any]) -> None:
    """One line of JSON on stdout."""
    typer.echo(orjson.dumps(value).decode())


def put(text: str) -> None:
    """A line for people on stdout."""
    Console(highlight=False, soft_wrap=True, markup=False).print(text)


def note(text: str) -> None:
    """A line on stderr: progress, remarks, errors."""
    notes().print(text)


def notes() -> Console:
    """The console of stderr; Rich obeys NO_COLOR and knows whether it is a terminal."""
    return Console(stderr=True, highlight=False, soft_wrap=True, markup=False)
