"""The page of a model's specification: the model of what people write in YAML."""

from typing import Final

from docs.generate.markdown import document, prose
from docs.generate.parts import Parts
from driftline_schemas.spec import ModelSpec

INTRODUCTION: Final = """\
The YAML file that `driftline apply` reads. A key that is not in these tables is refused, with a
sentence. Editors check it by its
[JSON Schema](../../schemas/driftline_schemas/json/model-spec.json): where they have a YAML language
server, the file begins with `# yaml-language-server: $schema=` and the schema's path or address.
Durations are written `250ms`, `60s`, `5m`, `12h` or `7d`. Examples are in the
[README](../../README.md#run-it-for-real)."""


def page() -> str:
    """docs/reference/spec.md"""
    parts = Parts()
    fields = parts.described(ModelSpec)
    return document(
        "Specification of a model",
        INTRODUCTION,
        prose(ModelSpec.__doc__),
        fields,
        *parts.sections("##"),
    )
