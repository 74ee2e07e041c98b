"""What a specification says about each of its pipelines, and what a pipeline knows at first."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

import orjson

from tests.verifier.learning.pipelines import build
from tests.verifier.learning.rows import Row, rows_of

Json = dict[str, Any]
Files = Callable[[str], bytes]  # bytes by sha256; an exception where there are none


@dataclass(frozen=True, slots=True)
class Plan:
    """One pipeline. `frozen`: it learns a file and nothing of the journal. `origin`: that file, as
    a recipe names it. Two of one `definition` learn the same."""

    pipeline: str
    steps: list[Json]
    task: str
    kinds: Mapping[str, str]
    frozen: bool
    origin: Json | None
    label: str | None  # column of a file that holds the truth
    seed: int | None  # of the order in which a file is learned

    @property
    def numeric(self) -> bool:
        """Regression."""
        return self.task == "regression"

    @property
    def definition(self) -> bytes:
        """All that it learns by."""
        parts = (self.steps, self.task, sorted(self.kinds.items()), self.frozen, self.origin)
        return orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)

    @property
    def seeds(self) -> dict[str, int]:
        """Each seed in its steps by its path: {"1.seed": 7}."""
        return {
            path: seed
            for place, step in enumerate(self.steps)
            for path, seed in _seeds(step, f"{place}")
        }

    def begin(self, files: Files) -> Any:
        """A model that has learned its file, if it has one."""
        if self.origin is None:
            return self.new()
        rows = self.rows(files(self.origin["file"]))
        return self.trained(rows, self.origin["passes"])

    def new(self) -> Any:
        """A model that has learned nothing."""
        return build(self.steps, self.task, self.kinds)

    def rows(self, payload: bytes) -> list[Row]:
        """What it learns of a file."""
        assert self.label is not None
        return list(rows_of(payload, self.kinds, self.label, numeric_label=self.numeric))

    def trained(self, rows: list[Row], passes: int) -> Any:
        """A model that has learned them; with a seed, shuffled before each pass."""
        model, rows = self.new(), list(rows)
        chance = None if self.seed is None else Random(self.seed)
        for _ in range(passes):
            if chance is not None:
                chance.shuffle(rows)
            for features, truth in rows:
                model.learn_one(features, truth)
        return model


def _seeds(step: Mapping[str, Any], path: str) -> Iterator[tuple[str, int]]:
    for name, value in (step.get("parameters") or {}).items():
        if name == "seed":
            yield f"{path}.seed", value
        elif isinstance(value, Mapping):
            yield from _seeds(value, f"{path}.{name}")


def plans_of(body: Mapping[str, Any]) -> dict[str, Plan]:
    """The pipelines of a spec's control record, by name."""
    return {name: _plan(body, name) for name in body["spec"].get("pipelines") or {}}


def _plan(body: Mapping[str, Any], name: str) -> Plan:
    spec = body["spec"]
    train = (spec.get("train") or {}).get(name)
    source = train or (spec.get("warm") or {}).get(name)
    label = (source or {}).get("label") or (spec.get("reference") or {}).get("label")
    origin = None
    if source is not None:
        file = body["files"][source["file"]]["sha256"]
        origin = {"file": file, "label": label, "passes": source.get("passes") or 1}
        if source.get("seed") is not None:
            origin["seed"] = source["seed"]
    return Plan(
        name,
        spec["pipelines"][name],
        spec["task"],
        {feature["name"]: feature["kind"] for feature in spec["features"]},
        train is not None,
        origin,
        label,
        None if source is None else source.get("seed"),
    )
