"""How does a pipeline of a specification become a model of River?

The form: a list of steps {class: preprocessing.StandardScaler, parameters: {...}}, the last of
which predicts; a parameter may be such an object itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Final

from river import compose

from driftline.core.learning.allowed import ALLOWED, REFUSED, Allowed
from driftline.core.learning.binary import BinaryLabels, OnlineModel
from driftline.core.learning.features import FeatureSchema
from driftline.core.learning.parameters import Parameter, Part, Role
from driftline.core.learning.refusal import PipelineRefusedError, Place
from driftline_schemas.spec import Task

PREDICTS: Final[Mapping[Task, Role]] = {
    "binary": "classifier",
    "multiclass": "classifier",
    "regression": "regressor",
}
TRANSFORMER: Final[Role] = "transformer"
KEYS: Final = {"class", "parameters"}


@dataclass(frozen=True, slots=True)
class Built:
    """A model that has learned nothing, and each seed in it by its path: {"1.seed": 7}."""

    model: OnlineModel
    seeds: Mapping[str, int]


@dataclass(slots=True)
class _Object:
    """An object of the specification that was read."""

    allowed: Allowed
    name: str
    place: Place
    made: Any
    reads_text: bool


@dataclass(slots=True)
class _Builder:
    """`root` is the place of the pipeline."""

    root: Place
    seeds: dict[str, int] = field(default_factory=dict)

    def read(self, value: object, place: Place, role: Role) -> _Object:
        """The object that `value` says, which must have this role."""
        name, parameters = _form(value, place)
        allowed = _allowed(name, place)
        if allowed.role != role:
            raise PipelineRefusedError(
                (*place, "class"), f"{name} is a {_words(allowed.role)}, not a {_words(role)}"
            )
        inside = (*place, "parameters")
        arguments, parts = self._arguments(name, allowed, parameters, inside)
        reads_text = _reads_text(allowed, arguments, parts)
        return _Object(allowed, name, place, _make(name, allowed, arguments, place), reads_text)

    def _arguments(
        self, name: str, allowed: Allowed, given: Mapping[str, object], place: Place
    ) -> tuple[dict[str, Any], list[_Object]]:
        _check_names(name, allowed, given, place)
        arguments: dict[str, Any] = dict(allowed.defaults)
        parts: list[_Object] = []
        for key, value in given.items():
            parameter = allowed.parameters[key]
            if isinstance(parameter, Part):
                arguments[key] = self._part(parameter, value, (*place, key), parts)
            else:
                arguments[key] = _value(parameter, value, (*place, key))
            if key == "seed":
                self._note_seed((*place, key), arguments[key])
        return arguments, parts

    def _part(self, part: Part, value: object, place: Place, parts: list[_Object]) -> object:
        if part.or_number is not None and not isinstance(value, Mapping):
            return part.or_number.read(value, place)
        found = self.read(value, place, part.role)
        parts.append(found)
        return found.made

    def _note_seed(self, place: Place, seed: int) -> None:
        inner = [str(step) for step in place[len(self.root) :] if step != "parameters"]
        self.seeds[".".join(inner)] = seed


def build_pipeline(
    steps: Sequence[object], schema: FeatureSchema, task: Task, place: Place = ()
) -> Built:
    """The model of one pipeline. PipelineRefusedError, with the path from `place` on, for classes,
    parameters and combinations that Driftline does not build."""
    if not steps:
        raise PipelineRefusedError(place, "has no steps; the last one must predict")
    builder = _Builder(place)
    roles: list[Role] = [*(len(steps) - 1) * [TRANSFORMER], PREDICTS[task]]
    objects = [
        builder.read(step, (*place, i), role)
        for i, (step, role) in enumerate(zip(steps, roles, strict=True))
    ]
    model = compose.Pipeline(*_routed(objects, schema)) if len(objects) > 1 else objects[0].made
    _check_text(objects, schema)
    return Built(_named_classes(model, objects[-1], task), builder.seeds)


def _form(value: object, place: Place) -> tuple[str, Mapping[str, object]]:
    if not isinstance(value, Mapping) or not isinstance(value.get("class"), str):
        raise PipelineRefusedError(place, "must say which class: {class: ..., parameters: {...}}")
    if unknown := sorted(str(key) for key in value if key not in KEYS):
        raise PipelineRefusedError((*place, unknown[0]), "only class and parameters are known here")
    parameters = value.get("parameters")
    if parameters is not None and not isinstance(parameters, Mapping):
        raise PipelineRefusedError((*place, "parameters"), "must be names and values")
    return value["class"], parameters or {}


def _words(role: Role) -> str:
    return role.replace("_", " ")


def _allowed(name: str, place: Place) -> Allowed:
    if name in ALLOWED:
        return ALLOWED[name]
    if name in REFUSED:
        raise PipelineRefusedError((*place, "class"), f"{name} {REFUSED[name]}")
    close = get_close_matches(name, ALLOWED, n=1, cutoff=0.5)
    meant = f"; did you mean {close[0]}?" if close else ""
    raise PipelineRefusedError(
        (*place, "class"), f"{name!r} is none of the classes that Driftline builds{meant}"
    )


def _check_names(name: str, allowed: Allowed, given: Mapping[str, object], place: Place) -> None:
    for key in given:
        if key not in allowed.parameters:
            known = ", ".join(sorted(allowed.parameters)) or "none"
            raise PipelineRefusedError((*place, str(key)), f"{name} takes: {known}")
    if allowed.seeded and "seed" not in given:
        raise PipelineRefusedError(
            (*place, "seed"), f"{name} draws at random: give it a seed, for example seed: 1"
        )
    if missing := [key for key in allowed.required if key not in given]:
        raise PipelineRefusedError((*place, missing[0]), f"{name} needs it")


def _value(parameter: Parameter | Part, value: object, place: Place) -> object:
    if isinstance(parameter, Part):
        raise TypeError("a part is read by the builder")
    return parameter.read(value, place)


def _make(name: str, allowed: Allowed, arguments: Mapping[str, object], place: Place) -> object:
    try:
        return allowed.make(**arguments)
    except (ValueError, TypeError, AssertionError) as error:  # River's own checks
        raise PipelineRefusedError(
            (*place, "parameters"), f"{name} refuses them: {error}"
        ) from None


def _reads_text(allowed: Allowed, arguments: Mapping[str, Any], parts: list[_Object]) -> bool:
    models = [part for part in parts if part.allowed.role in ("classifier", "regressor")]
    if "leaf_prediction" in allowed.parameters and allowed.role == "regressor":
        return bool(arguments.get("leaf_prediction") == "mean")  # else its leaves are linear
    return allowed.eats != "numbers" and all(part.reads_text for part in models)


def _routed(objects: Sequence[_Object], schema: FeatureSchema) -> list[Any]:
    """Each transformer gets the features of its kind where there are several; the others pass."""
    mixed = schema.has_text and schema.has_numbers
    return [
        _routed_transformer(step) if mixed and step.allowed.role == "transformer" else step.made
        for step in objects
    ]


def _routed_transformer(step: _Object) -> Any:
    # Kinds are Python types here: numbers are float, categories str, encoded ones int.
    own, others = ((str,), (int, float)) if step.reads_text else ((float,), (int, str))
    return compose.TransformerUnion(
        compose.Pipeline(compose.SelectType(*own), step.made), compose.SelectType(*others)
    )


def _check_text(objects: Sequence[_Object], schema: FeatureSchema) -> None:
    text = schema.has_text
    for step in objects:
        if step.allowed.role == "transformer":
            if step.reads_text and not text:
                raise PipelineRefusedError(
                    (*step.place, "class"), f"{step.name} finds no categorical feature here"
                )
            if not step.reads_text and text and not schema.has_numbers:
                raise PipelineRefusedError(
                    (*step.place, "class"), f"{step.name} finds no numeric feature here"
                )
            text = text and not step.reads_text
        elif text and not step.reads_text:
            raise PipelineRefusedError(
                (*step.place, "class"),
                f"{step.name} reads numbers only, but the specification has categorical features: "
                "put preprocessing.OneHotEncoder before it, or take a tree",
            )


def _named_classes(model: Any, final: _Object, task: Task) -> Any:
    if task == "regression" or final.made._multiclass:  # noqa: SLF001 - River has no other word
        return model
    if task == "multiclass":
        raise PipelineRefusedError(
            (*final.place, "class"),
            f"{final.name} knows two classes only: take linear_model.SoftmaxRegression, a tree, or "
            "put it into multiclass.OneVsRestClassifier",
        )
    return BinaryLabels(model)
