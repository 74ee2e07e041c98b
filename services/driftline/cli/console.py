"""Write results to stdout, everything else to stderr; with --json one JSON object a line.

What is written holds names and texts that any producer chose. They are shown, never obeyed: not by
the terminal (escape sequences, the order of writing), not by Rich (markup, `:emoji:`).
"""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from getpass import getuser
from typing import Annotated, Any, Final

import orjson
import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.segment import Segment
from rich.text import Text

from driftline.runtime import settings as configuration
from driftline.runtime.first_contact import meet
from driftline.runtime.settings import Settings

UNSEEN: Final = re.compile(r"[^ -~\w]")  # few enough to ask of each whether it can be seen
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


def visible(text: str) -> str:
    """The text on one line, with what cannot be seen written as an escape: `\\x1b`, `\\u202e`."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class VisibleConsole(Console):
    """A console on which a text is just seen; it may have lines. Rich's own colours are left."""

    def __init__(
        self, *, stderr: bool = False, soft_wrap: bool = False, width: int | None = None
    ) -> None:
        super().__init__(
            stderr=stderr, soft_wrap=soft_wrap, width=width,
            highlight=False, markup=False, emoji=False,
        )  # fmt: skip

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """All that is printed comes through here."""
        for segment in super().render(renderable, options):
            lines = segment.text.split("\n")
            if segment.control or all(map(str.isprintable, lines)):
                yield segment
            else:
                yield Segment("\n".join(map(visible, lines)), segment.style)


def put_json(value: dict[str, Any]) -> None:
    """One line of JSON on stdout."""
    put_json_line(orjson.dumps(value))


def put_json_line(line: bytes) -> None:
    """The same of what is JSON already; a reader gets the very characters, a terminal does not."""
    typer.echo(UNSEEN.sub(_escaped, line.decode()))


def _escaped(found: re.Match[str]) -> str:
    character = found[0]
    if character.isprintable():
        return character
    units = character.encode("utf-16-be").hex()
    return "".join(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4))


def put(text: str) -> None:
    """A line for people on stdout."""
    VisibleConsole(soft_wrap=True).print(text)


def screen() -> Console:
    """The console of stdout for tables; without a terminal it has neither colours nor a limit."""
    console = VisibleConsole()
    return console if console.is_terminal else VisibleConsole(width=120)


def note(text: str) -> None:
    """A line on stderr: progress, remarks, errors."""
    notes().print(text)


def notes() -> Console:
    """The console of stderr; Rich obeys NO_COLOR and knows whether it is a terminal."""
    return VisibleConsole(stderr=True, soft_wrap=True)


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
    with console.status(Text(what)) as status:
        yield lambda what: status.update(Text(what))
