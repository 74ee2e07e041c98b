"""Read a model's specification from YAML; what is wrong is named with its line and its remedy."""

from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from driftline.cli.errors import CommandError, close_to, ended
from driftline_schemas import spec as schema
from driftline_schemas.codec import content_hash
from driftline_schemas.fields import NAME_PATTERN
from driftline_schemas.spec import DURATION_PATTERN, ModelSpec, SpecFaultError

MAX_BYTES: Final = 1_000_000
PATTERNS: Final = {
    NAME_PATTERN: "a name of 1 to 128 characters",
    DURATION_PATTERN: "a length of time such as 250ms, 60s, 12h or 7d",
}


def load_spec(path: Path) -> ModelSpec:
    """The specification in a file; CommandError names file, line and remedy."""
    text = _read(path)
    try:
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        value = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise CommandError(f"{path}, line {line}: not YAML: {error.problem}.") from None
    except yaml.YAMLError as error:
        raise CommandError(f"{path}: not YAML: {error}.") from None
    except RecursionError:
        raise CommandError(f"{path} is nested deeper than any spec.") from None
    if not isinstance(value, dict):
        raise CommandError(f"{path}, line 1: a spec is a mapping that begins with `model:`.")
    try:
        spec = ModelSpec.model_validate(value)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        line = _line(tree, _place(fault))
        raise CommandError(ended(f"{path}, line {line}: {_remedy(fault)}")) from None
    _check_pipelines(path, tree, spec)
    return spec


def wire_spec(spec: ModelSpec) -> dict[str, Any]:
    """The spec as facts carry it: without defaults, so that a later default changes no hash."""
    return spec.model_dump(mode="json", by_alias=True, exclude_defaults=True)


def spec_hash(spec: ModelSpec) -> str:
    """The id of a specification's content."""
    return content_hash(wire_spec(spec))


def _check_pipelines(path: Path, tree: yaml.Node | None, spec: ModelSpec) -> None:
    """Whether each is one that the learner would build."""
    if not spec.pipelines:
        return
    # River comes with the extra `services`; specs without pipelines do without.
    from driftline.core.learning.features import FeatureSchema
    from driftline.core.learning.pipelines import build_pipeline
    from driftline.core.learning.refusal import PipelineRefusedError

    features = FeatureSchema.of(spec.features)
    for name, steps in spec.pipelines.items():
        try:
            build_pipeline(steps, features, spec.task, ("pipelines", name))
        except PipelineRefusedError as error:
            line = _line(tree, error.place)
            raise CommandError(ended(f"{path}, line {line}: {error}")) from None


def _read(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise CommandError(f"Cannot read {path}: {error.strerror}.") from None
    if len(raw) > MAX_BYTES:
        raise CommandError(f"{path} has {len(raw):,} bytes: that is no spec.")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise CommandError(f"{path} is not UTF-8.") from None


def _line(node: yaml.Node | None, steps: tuple[int | str, ...]) -> int:
    """The line of the innermost part of `steps` that the file has."""
    line = 1
    for step in steps:
        key, node = _child(node, step)
        if node is None:
            break
        line = (key or node).start_mark.line + 1
    return line


def _child(node: yaml.Node | None, step: int | str) -> tuple[yaml.Node | None, yaml.Node | None]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(step):
                return key, value
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return None, node.value[step]
    return None, None


def _place(fault: ErrorDetails) -> tuple[int | str, ...]:
    cause = fault.get("ctx", {}).get("error")
    return cause.place if isinstance(cause, SpecFaultError) else fault["loc"]


def _remedy(fault: ErrorDetails) -> str:
    where = ".".join(str(step) for step in fault["loc"])
    kind, context = fault["type"], fault.get("ctx", {})
    if kind == "missing":
        return f"{where} is missing, add `{fault['loc'][-1]}: ...`"
    if kind == "extra_forbidden":
        return f"{where} is not known{close_to(str(fault['loc'][-1]), _known_keys())}"
    if kind == "literal_error":
        return f"{where} must be one of {context['expected']}"
    if kind == "string_type":
        return f"{where} must be a text, put it in quotes"
    if kind == "string_pattern_mismatch" and context["pattern"] in PATTERNS:
        return f"{where} must be {PATTERNS[context['pattern']]}"
    if kind == "value_error":
        return f"{where}: {context['error']}" if where else str(context["error"])
    return f"{where}: {fault['msg'][0].lower()}{fault['msg'][1:]}"


def _known_keys() -> list[str]:
    parts = [
        part
        for part in vars(schema).values()
        if isinstance(part, type) and issubclass(part, schema.SpecPart)
    ]
    return sorted({name for part in parts for name in part.model_fields})
