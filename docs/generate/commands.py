"""The page of commands: what Typer knows of each."""

from collections.abc import Iterator
from importlib import import_module
from typing import Any, Final, NamedTuple

import typer
from typer.main import get_command

from docs.generate.markdown import anchor, code, document, link, prose, table
from driftline.cli.app import app
from driftline.cli.one_sentence import OneSentence

NAME: Final = "driftline"
COMMON: Final = ("--brokers", "--prefix", "--json")
EVERYWHERE: Final = "--help"
INTRODUCTION: Final = """\
Results go to stdout, everything else to stderr. Colours and progress bars appear on a terminal
only, and `NO_COLOR` turns colours off there too. Every command has `--help`; those that talk to
Kafka take these as well:"""


class Entry(NamedTuple):
    """One command: its words, and what Typer says of it. Pairs are a name and its meaning."""

    words: str
    said: str
    usage: str
    arguments: list[tuple[str, str]]
    options: list[tuple[str, str]]
    is_group: bool

    def common(self) -> list[tuple[str, str]]:
        """Its options that most commands share."""
        return [option for option in self.options if option[0].startswith(COMMON)]

    def own(self) -> list[tuple[str, str]]:
        """The others."""
        shared = (*COMMON, EVERYWHERE)
        return [option for option in self.options if not option[0].startswith(shared)]


def page() -> str:
    """docs/reference/cli.md"""
    root, *found = entries()
    commands = [entry for entry in found if not entry.is_group]
    shared = next(entry.common() for entry in commands if len(entry.common()) == len(COMMON))
    overview = (
        (link(code(entry.words), anchor(entry.words)), entry.said.partition("\n")[0])
        for entry in commands
    )
    return document(
        "Commands",
        INTRODUCTION,
        table(("option", "meaning"), _named([*shared, *root.own()])),
        prose(OneSentence.__doc__),
        table(("command", "what it does"), overview),
        *map(_section, commands),
    )


def entries() -> Iterator[Entry]:
    """The whole command line, groups before their commands."""
    root = get_command(app)
    yield from _entries(root, typer.Context(root, info_name=NAME), NAME)


def _entries(command: Any, context: Any, words: str) -> Iterator[Entry]:
    records = [
        (parameter.param_type_name, record)
        for parameter in command.get_params(context)
        if (record := parameter.get_help_record(context)) is not None
    ]
    inner = getattr(command, "commands", {})
    yield Entry(
        words,
        prose(command.help),
        " ".join([words, *command.collect_usage_pieces(context)]),
        [record for kind, record in records if kind == "argument"],
        [record for kind, record in records if kind == "option"],
        bool(inner),
    )
    for name, each in inner.items():
        each = _demo() if name == "demo" else each
        below = typer.Context(each, info_name=name, parent=context)
        yield from _entries(each, below, f"{words} {name}")


def _demo() -> Any:
    """The command itself: the command line looks it up by name, and passes its options on."""
    single = typer.Typer(add_completion=False)
    single.command()(import_module("driftline.demo.command").demo)
    return get_command(single)


def _section(entry: Entry) -> str:
    parts = [f"## {entry.words}", entry.said, f"```\n{entry.usage}\n```"]
    if entry.arguments:
        parts.append(table(("argument", "meaning"), _named(entry.arguments)))
    if own := entry.own():
        parts.append(table(("option", "meaning"), _named(own)))
    if common := entry.common():
        parts.append(f"Also {', '.join(code(name.partition(' ')[0]) for name, _ in common)}.")
    return "\n\n".join(parts)


def _named(pairs: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    return ((code(name), meaning) for name, meaning in pairs)
