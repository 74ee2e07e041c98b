"""From the steps of a specification to a model of River."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from river import (
    compose,
    drift,
    ensemble,
    forest,
    linear_model,
    multiclass,
    naive_bayes,
    optim,
    preprocessing,
    tree,
)

MODULES: dict[str, Any] = {
    "drift": drift,
    "ensemble": ensemble,
    "forest": forest,
    "linear_model": linear_model,
    "multiclass": multiclass,
    "naive_bayes": naive_bayes,
    "optim": optim,
    "preprocessing": preprocessing,
    "tree": tree,
}
# River's own depth of a tree is taken from the process, so Driftline's specs mean this one.
DEPTH = 50
ENCODES_TEXT = "preprocessing.OneHotEncoder"
Json = Mapping[str, Any]


class BinaryClasses:
    """Two classes with names, for a model that knows true and false: the first one learned is
    false unless it is spelled true, 1 or yes; the second is the other; a third is not learned."""

    stands_for = "driftline.core.learning.binary.BinaryLabels"
    __slots__ = ("false", "model", "true")

    def __init__(self, model: Any) -> None:
        self.model = model
        self.false: str | None = None
        self.true: str | None = None

    def learn_one(self, x: dict[str, Any], y: str) -> None:
        if y not in (self.false, self.true):
            if self.false is None and self.true is None:
                self._name(y, truth=y.lower() in ("true", "1", "yes"))
            elif self.false is None or self.true is None:
                self._name(y, truth=self.true is None)
            else:
                return
        self.model.learn_one(x, y == self.true)

    def _name(self, y: str, *, truth: bool) -> None:
        if truth:
            self.true = y
        else:
            self.false = y

    def predict_one(self, x: dict[str, Any]) -> str | None:
        return self.true if self.model.predict_one(x) else self.false


def build(steps: Sequence[Json], task: str, kinds: Mapping[str, str]) -> Any:
    """A model that has learned nothing; `kinds`: the kind of each feature."""
    mixed = len({kind == "categorical" for kind in kinds.values()}) > 1
    parts = [_object(step) for step in steps]
    final = parts[-1]
    if mixed:
        parts[:-1] = [
            _routed(step["class"], part) for step, part in zip(steps[:-1], parts[:-1], strict=True)
        ]
    model = final if len(parts) == 1 else compose.Pipeline(*parts)
    return BinaryClasses(model) if task == "binary" and not final._multiclass else model


def _object(value: Json) -> Any:
    name: str = value["class"]
    given = {key: _argument(part) for key, part in (value.get("parameters") or {}).items()}
    if name.startswith(("tree.Hoeffding", "forest.")):
        given.setdefault("max_depth", DEPTH)
    return _class(name)(**given)


def _argument(value: Any) -> Any:
    if isinstance(value, Mapping):
        return _object(value)
    return list(value) if isinstance(value, list) else value


def _class(name: str) -> Callable[..., Any]:
    first, *rest = name.split(".")
    found = MODULES[first]
    for part in rest:
        found = getattr(found, part)
    return found  # type: ignore[no-any-return]  # River ships no types


def _routed(name: str, transformer: Any) -> Any:
    """Among mixed features a transformer sees those of its kind, and the others pass it by."""
    own, others = ((str,), (int, float)) if name == ENCODES_TEXT else ((float,), (int, str))
    return compose.TransformerUnion(
        compose.Pipeline(compose.SelectType(*own), transformer), compose.SelectType(*others)
    )
