"""What may a field hold? A JSON Schema in a few words: type and bounds."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from pydantic import BaseModel, TypeAdapter

from docs.generate.markdown import code
from driftline_schemas.fields import ID_PATTERN, NAME_PATTERN, Hash, Sha256
from driftline_schemas.spec import Duration

Schema = Mapping[str, Any]
Reference = Callable[[str], str]  # what stands for another shape, by its name


def _pattern(text: Any) -> str:
    """Of a text type that is defined by its pattern."""
    return str(TypeAdapter(text).json_schema()["pattern"])


PATTERNS: Final = {
    ID_PATTERN: "id",
    NAME_PATTERN: "name",
    _pattern(Hash): "hash",
    _pattern(Sha256): "sha256",
    _pattern(Duration): "duration",
}
FORMATS: Final = {
    "date-time": "time", "duration": "duration", "path": "path", "password": "secret",
}  # fmt: skip
TYPES: Final = {"object": "object", "null": "null", "string": "text"}
BOUNDS: Final = {
    "minimum": "≥ {}", "exclusiveMinimum": "> {}", "maximum": "≤ {}", "exclusiveMaximum": "< {}",
    "minLength": "at least {} characters", "maxLength": "at most {} characters",
    "minItems": "at least {}", "maxItems": "at most {}", "maxProperties": "at most {}",
}  # fmt: skip
UNSAID: Final = {"minLength": 1}  # that a text is not empty goes without saying


def shape(schema: Schema, reference: Reference = code) -> str:
    """The words for a schema; `reference` names the shapes that are defined elsewhere."""
    if "$ref" in schema:
        return reference(str(schema["$ref"]).rpartition("/")[2])
    if options := schema.get("anyOf"):
        return " or ".join(shape(each, reference) for each in options if each != {"type": "null"})
    if "const" in schema:
        return code(str(schema["const"]))
    if "enum" in schema:
        return " or ".join(code(str(each)) for each in schema["enum"])
    return _bounded(_type(schema, reference), schema)


def _type(schema: Schema, reference: Reference) -> str:
    kind = schema.get("type", "anything")
    if isinstance(kind, list):
        return " or ".join(TYPES.get(str(each), str(each)) for each in kind)
    if kind == "array":
        return _array(schema, reference)
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {shape(schema['additionalProperties'], reference)}"
    if kind == "string" and (known := PATTERNS.get(schema.get("pattern", ""))):
        return known
    return FORMATS.get(schema.get("format", ""), TYPES.get(kind, str(kind)))


def _array(schema: Schema, reference: Reference) -> str:
    if places := schema.get("prefixItems"):
        return f"[{', '.join(shape(each, reference) for each in places)}]"
    return f"list of {shape(schema.get('items', {}), reference)}"


def _bounded(words: str, schema: Schema) -> str:
    """A tuple's length is plain from its places, and a known pattern from its name."""
    said: list[str] = []
    for name, text in BOUNDS.items() if "prefixItems" not in schema else ():
        if name in schema and UNSAID.get(name) != schema[name]:
            said.append(text.format(_number(schema[name])))
    if (pattern := schema.get("pattern")) and pattern not in PATTERNS:
        said.append(f"matches {code(pattern)}")
    return f"{words} ({', '.join(said)})" if said else words


def _number(bound: float) -> str:
    return f"{bound:,}" if isinstance(bound, int) else f"{bound:g}"


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """Its JSON Schema, by the names that events have on the wire."""
    return model.model_json_schema(by_alias=True)
