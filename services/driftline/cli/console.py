"""Write results to stdout, everything else to stderr; with --json one JSON object a line."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from getpass import getuser
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from driftline.runtime import settings as configuration
from driftline.runtime.first_contact import meet
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


def reached(brokers: str | None, prefix: str | None) -> Settings:
    """As `settings_of`, once a broker answers; NoBrokerError says at once why none does."""
    settings = settings_of(brokers, prefix)
    meet(settings.brokers)
    return settings


def this_person() -> str:
    """Who gives the command: every write to the registry names its actor."""
    try:
        return getuser()
    except (KeyError, OSError):  # a container's user often has no name
        return "unknown"


def counted(n: int, noun: str) -> str:
    """`1 error`, `2 errors`, `2 processes`."""
    return f"{n:,} {noun}" + ("" if n == 1 else "es" if noun.endswith("s") else "s")


def put_json(value: dict[str, Any]) -> None:
    """One line of JSON on stdout."""
    typer.echo(orjson.dumps(value).decode())


def put(text: str) -> None:
    """A line for people on stdout."""
    Console(highlight=False, soft_wrap=True, markup=False).print(text)


def screen() -> Console:
    """The console of stdout for tables; without a terminal it has neither colours nor a limit."""
    console = Console(highlight=False, markup=False)
    return console if console.is_terminal else Console(highlight=False, markup=False, width=120)


def note(text: str) -> None:
    """A line on stderr: progress, remarks, errors."""
    notes().print(text)


def notes() -> Console:
    """The console of stderr; Rich obeys NO_COLOR and knows whether it is a terminal."""
    return Console(stderr=True, highlight=False, soft_wrap=True, markup=False)


@contextmanager
def tracked(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A bar on stderr while the block runs, moved by what is yielded; nothing for a program."""
    console = notes()
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(
        *columns, console=console, disable=not console.is_terminal, transient=True
    ) as bars:
        task = bars.add_task(what, total=total)
        yield lambda steps: bars.advance(task, steps)


@contextmanager
def spinning(what: str) -> Iterator[Callable[[str], None]]:
    """A sign of life on stderr while the block runs; what is yielded changes its text."""
    console = notes()
    if not console.is_terminal:
        yield lambda _what: None
        return
    with console.status(what) as status:
        yield status.update
