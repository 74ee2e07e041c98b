"""The page of settings: the pydantic classes, and which role reads what."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Final, get_args

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from docs.generate import reading
from docs.generate.markdown import code, document, table
from docs.generate.shapes import schema_of, shape
from driftline.api.settings import ApiSettings
from driftline.runtime.settings import UNITS, Settings, WholeSeconds
from driftline.scorer.settings import ScorerSettings

INTRODUCTION: Final = """\
What a process is told from outside: environment variables. One that cannot be read ends the process
with a sentence that names it.

- A **duration** is written `7d`, `12h`, `5m`, `60s` or `250ms`; a bare number is seconds.
- A **secret** may come from a file instead, as Docker and Kubernetes mount secrets: a variable with
  `_FILE` behind the same name says which. Given both, the variable itself wins."""
AGREED: Final = """\
*Commands* are those of `driftline` other than `run`. Label horizon, repeat window, panes, their
grace and the lead of bins are for the whole installation: `driftline topics init` records them, and
a process that was told otherwise refuses to start, with a sentence."""
OTHERS: Final[Mapping[str, str]] = {
    "DRIFTLINE_DEBUG": "Not empty: an unexpected error of a command shows where it came from, as"
    " with `--debug`.",
    "DRIFTLINE_CACHE_DIR": "Where `driftline servers` and the demo keep Kafka's parts between runs."
    " Default: the user's cache directory.",
    "DRIFTLINE_MAVEN_URL": "A mirror of Maven Central, from which these parts are fetched.",
}
HEADINGS: Final = ("variable", "type", "default", "meaning")
FILE: Final = "_file"  # the field of a secret's file; its own variable stands for both


def page() -> str:
    """docs/reference/settings.md"""
    readers = _readers()
    shared = [
        (*row, readers[name])
        for name, row in _rows(Settings).items()
        if name not in _rows(ApiSettings)
    ]
    return document(
        "Settings",
        INTRODUCTION,
        "## Of several roles",
        AGREED,
        table((*HEADINGS, "read by"), shared),
        "## Of the API and its page",
        table(HEADINGS, _rows(ApiSettings).values()),
        "## Of the scorer",
        table(HEADINGS, _rows(ScorerSettings).values()),
        "## Of commands, demo and local servers",
        table(("variable", "meaning"), ((code(name), said) for name, said in OTHERS.items())),
    )


def variables() -> set[str]:
    """All that the page names, files of secrets included."""
    fields = (name for each in (Settings, ApiSettings, ScorerSettings) for name in _names(each))
    return {*fields, *OTHERS}


def _names(settings: type[BaseSettings]) -> Iterator[str]:
    prefix = settings.model_config["env_prefix"]
    yield from (f"{prefix}{name}".upper() for name in settings.model_fields)


def _rows(settings: type[BaseSettings]) -> dict[str, tuple[str, ...]]:
    """By variable; the file of a secret has no row of its own."""
    schemas = schema_of(settings)["properties"]
    fields = settings.model_fields.items()
    rows = zip(_names(settings), fields, strict=True)
    return {
        variable: (code(variable), _type(field, schemas[name]), _default(field), _meaning(field))
        for variable, (name, field) in rows
        if not name.endswith(FILE)
    }


def _type(field: FieldInfo, schema: Mapping[str, Any]) -> str:
    return "duration, whole seconds" if _is_seconds(field) else shape(schema)


def _is_seconds(field: FieldInfo) -> bool:
    return get_args(WholeSeconds)[1] in field.metadata


def _default(field: FieldInfo) -> str:
    if field.default_factory is not None or field.default is None:
        return ""
    if isinstance(field.default, timedelta):
        return code(_written(field.default))
    return code(f"{field.default}s" if _is_seconds(field) else str(field.default))


def _written(duration: timedelta) -> str:
    """As people write it, in the largest unit that leaves no rest."""
    seconds = duration.total_seconds()
    size, unit = next((size, unit) for unit, size in reversed(UNITS.items()) if seconds % size == 0)
    return f"{seconds / size:g}{unit}"


def _meaning(field: FieldInfo) -> str:
    return " ".join((field.description or "").split())


def _readers() -> dict[str, str]:
    """By variable: the roles that read a shared setting, and the commands."""
    entries = {role: reading.entry(role) for role in reading.ROLES} | {"commands": reading.COMMANDS}
    read = {who: _read(reading.mentioned(module, "settings")) for who, module in entries.items()}
    said = {}
    for variable, name in zip(_names(Settings), Settings.model_fields, strict=True):
        roles = [role for role in reading.ROLES if name in read[role]]
        who = ["every role"] if len(roles) == len(reading.ROLES) else roles
        said[variable] = ", ".join([*who, *(["commands"] if name in read["commands"] else [])])
    return said


def _read(mentioned: frozenset[str]) -> set[str]:
    """The fields behind names, some of which are properties that are made from fields."""
    behind = {
        field
        for name in mentioned
        if isinstance(made := vars(Settings).get(name), property) and made.fget is not None
        for field in made.fget.__code__.co_names
    }
    return {*mentioned, *behind} & set(Settings.model_fields)
