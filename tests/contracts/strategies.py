"""Any event of a type, made from its annotations."""

from base64 import b64encode
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from driftline_schemas.dead_letters import Base64
from driftline_schemas.fields import (
    EARLIEST,
    LATEST,
    Event,
    FeatureValue,
    Finite,
    Hash,
    Id,
    Millis,
    Name,
    Output,
    Sha256,
)
from driftline_schemas.registry import Count
from driftline_schemas.spec import Feature, ModelSpec

INTEGERS = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=128)
SPECS = st.builds(
    lambda model, task, budget: ModelSpec(
        model=model, task=task, features=[Feature(name="f", kind="numeric")], alarm_budget=budget
    ),
    NAMES,
    st.sampled_from(["binary", "multiclass", "regression"]),
    st.floats(0.001, 0.5),
)
KNOWN: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (Millis, st.integers(EARLIEST, LATEST)),
    (Count, st.integers(0, 2**53)),
    (Id, st.from_regex(r"[A-Za-z0-9._:-]{1,128}", fullmatch=True)),
    (Name, NAMES),
    (Hash, st.from_regex(r"[0-9a-f]{16}", fullmatch=True)),
    (Sha256, st.from_regex(r"[0-9a-f]{64}", fullmatch=True)),
    (Base64, st.binary(max_size=8).map(lambda raw: b64encode(raw).decode())),
    (Output, TEXTS | INTEGERS | FLOATS),
    (Finite, FLOATS),
    (FeatureValue, st.none() | st.booleans() | INTEGERS | FLOATS | TEXTS),
    (Any, st.none() | st.booleans() | INTEGERS | TEXTS),
    (str, TEXTS),
    (int, INTEGERS),
    (float, FLOATS),
    (bool, st.booleans()),
    (NoneType, st.none()),
    (ModelSpec, SPECS),
]


def events(kind: type[Event]) -> st.SearchStrategy[Event]:
    """Any valid event of a type."""
    hints = get_type_hints(kind, include_extras=True)
    fields = {name: values(hints[name]) for name in kind.model_fields}
    by_alias = {kind.model_fields[name].alias or name: drawn for name, drawn in fields.items()}
    return st.builds(lambda **given: kind.model_validate(given), **by_alias)


def values(annotation: Any) -> st.SearchStrategy[Any]:
    """Any value of an annotation."""
    for known, strategy in KNOWN:
        if annotation is known or annotation == known:
            return strategy
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return st.floats(0, 1) if arguments[0] is float else values(arguments[0])
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin in (Union, UnionType):
        return st.one_of([values(each) for each in arguments])
    if origin is list:
        return st.lists(values(arguments[0]), max_size=3)
    if origin is tuple:
        return st.tuples(*map(values, arguments))
    if origin is dict:
        return st.dictionaries(values(arguments[0]), values(arguments[1]), max_size=3)
    if issubclass(annotation, Event):
        return events(annotation)
    raise TypeError(f"no strategy for {annotation}")
