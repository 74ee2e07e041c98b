"""Models as tables of fields. What several of them hold is described once, and linked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from pydantic import BaseModel

from docs.generate.markdown import anchor, code, link, prose, table
from docs.generate.shapes import Schema, schema_of, shape

HEADINGS: Final = ("field", "type", "needed", "meaning")


@dataclass(slots=True)
class Parts:
    """The parts that the tables so far refer to; `elsewhere` has links to those of other pages."""

    elsewhere: Mapping[str, str] = field(default_factory=dict)
    _definitions: dict[str, Schema] = field(default_factory=dict)
    _wanted: set[str] = field(default_factory=set)

    def described(self, model: type[BaseModel]) -> str:
        """The table of a model's fields."""
        schema = schema_of(model)
        self._definitions.update(schema.get("$defs", {}))
        return self._fields(schema)

    def sections(self, level: str) -> list[str]:
        """Every part that was mentioned, and those that these mention in turn, by name."""
        said: dict[str, str] = {}
        while waiting := [name for name in self._wanted if name not in said]:
            for name in waiting:
                schema = self._definitions[name]
                about = prose(schema.get("description"))
                said[name] = f"{level} {name}\n\n{about}\n\n{self._fields(schema)}"
        return [said[name] for name in sorted(said)]

    def _fields(self, schema: Schema) -> str:
        required = schema.get("required", ())
        rows = (
            (
                code(name),
                shape(each, self._named),
                _needed(name in required, each),
                self._said(each),
            )
            for name, each in schema.get("properties", {}).items()
        )
        return table(HEADINGS, rows)

    def _said(self, schema: Schema) -> str:
        """A field's own meaning, else that of the part that it holds."""
        if "const" in schema:
            return "Always this."
        part = self._definitions.get(str(schema.get("$ref")).rpartition("/")[2], {})
        return prose(schema.get("description", part.get("description")))

    def _named(self, name: str) -> str:
        if name in self.elsewhere:
            return self.elsewhere[name]
        self._wanted.add(name)
        return link(name, anchor(name))


def _needed(is_required: bool, schema: Schema) -> str:
    if is_required or "const" in schema:
        return "yes"
    default: Any = schema.get("default")
    return (
        "no" if default in (None, [], {}) or isinstance(default, dict) else f"no: {_json(default)}"
    )


def _json(value: object) -> str:
    return code(orjson.dumps(value).decode())
