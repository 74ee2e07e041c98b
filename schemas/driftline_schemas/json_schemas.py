"""JSON Schemas of every event and of a model's spec, for other languages and for editors.

`python -m driftline_schemas.json_schemas` writes them into `json/` beside this module.
"""

import re
from pathlib import Path
from typing import Any, Final

import orjson
from pydantic import BaseModel

from driftline_schemas.fields import Event
from driftline_schemas.registry import GateEvaluated, ModelUpdated
from driftline_schemas.spec import ModelSpec
from driftline_schemas.topics import TOPICS

FOLDER: Final = Path(__file__).parent / "json"
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
# Events that travel inside a command.
COMMAND_BODIES: Final[tuple[type[Event], ...]] = (ModelUpdated, GateEvaluated)
EVENTS: Final[tuple[type[Event], ...]] = (
    *(kind for topic in TOPICS for kind in topic.events),
    *COMMAND_BODIES,
)


def json_schemas() -> dict[str, bytes]:
    """File name -> content: `<event>.v1.json` for each event, and `model-spec.json`."""
    files = {f"{event_name(kind)}.v1.json": _schema(kind) for kind in EVENTS}
    return {**files, "model-spec.json": _schema(ModelSpec)}


def event_name(kind: type[Event]) -> str:
    """The event's name in files: `DeadLetter` is `dead-letter`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", kind.__name__).lower()


def write() -> None:
    """Bring the files up to date."""
    FOLDER.mkdir(exist_ok=True)
    wanted = json_schemas()
    for path in FOLDER.glob("*.json"):
        if path.name not in wanted:
            path.unlink()
    for name, content in wanted.items():
        (FOLDER / name).write_bytes(content)


def _schema(model: type[BaseModel]) -> bytes:
    schema = {"$schema": DIALECT, **model.model_json_schema()}
    for part in (schema, *schema.get("$defs", {}).values()):
        _require_constants(part)
    return orjson.dumps(schema, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _require_constants(schema: dict[str, Any]) -> None:
    """`kind` and `action` have a default in Python, but on the wire they must be said."""
    constants = [name for name, field in schema.get("properties", {}).items() if "const" in field]
    if constants:
        schema["required"] = [*constants, *schema.get("required", [])]


if __name__ == "__main__":
    write()
