"""Trained versions of a small model, registered as a learner would: for tests of what serves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from driftline.core.learning.features import FeatureSchema
from driftline.core.learning.pipelines import build_pipeline
from driftline.core.reference import reference_bins
from driftline.runtime.models.artifacts import ArtifactStore
from driftline.runtime.models.loader import SafeCodec
from driftline_schemas.codec import content_hash, short_hash
from driftline_schemas.fields import parse_time
from driftline_schemas.registry import ModelUpdated
from driftline_schemas.spec import ModelSpec

MODEL: Final = "churn"
ROWS: Final = 300
SCALED: Final = {"class": "preprocessing.StandardScaler"}
CREATED: Final = "2026-11-25T21:00:00.000Z"
LOGISTIC: Final = [SCALED, {"class": "linear_model.LogisticRegression"}]
BAYES: Final = [{"class": "naive_bayes.GaussianNB"}]


def wire_spec(model: str = MODEL, **parts: Any) -> dict[str, Any]:
    """A specification with pipelines `sm` (the champion) and `lr`."""
    return {
        "model": model,
        "task": "binary",
        "features": [{"name": "age", "kind": "numeric"}, {"name": "pro", "kind": "boolean"}],
        "reference": {"file": "reference.csv", "label": "left"},
        "pipelines": {"sm": LOGISTIC, "lr": BAYES},
        "champion": "sm",
        **parts,
    }


def spec_body(spec: dict[str, Any]) -> dict[str, Any]:
    """A body of `apply_spec`, with bins of 300 rows."""
    chance = Random(1)
    rows = [{**row, "left": "true"} for row in (_text(chance, spec) for _ in range(ROWS))]
    bins = reference_bins(ModelSpec.model_validate(spec), rows, effective_from=0)
    described = bins.model_dump(mode="json", exclude_none=True)
    return {"spec_hash": content_hash(spec), "spec": spec, "bins": described}


def _text(chance: Random, spec: Mapping[str, Any]) -> dict[str, str]:
    return {feature["name"]: _cell(chance, feature["kind"]) for feature in spec["features"]}


def _cell(chance: Random, kind: str) -> str:
    if kind == "numeric":
        return str(round(chance.gauss(40, 10), 3))
    return chance.choice(["true", "false"] if kind == "boolean" else ["red", "green", "blue"])


@dataclass(frozen=True, slots=True)
class Trainer:
    """Makes versions of a specification's pipelines; their bytes go to `store`."""

    spec: dict[str, Any]
    store: ArtifactStore

    def version(self, pipeline: str, number: int = 1, labels: int = 200) -> dict[str, Any]:
        """A body of `model_updated`: the pipeline after so many labels."""
        spec = ModelSpec.model_validate(self.spec)
        schema = FeatureSchema.of(spec.features)
        built = build_pipeline(spec.pipelines[pipeline], schema, spec.task)
        chance = Random(number)
        for _ in range(labels):
            row = row_of(chance, spec)
            built.model.learn_one(schema.canonical(row), _label(chance, spec, row))
        dumped = SafeCodec().dump(built.model)
        return ModelUpdated(
            version_id=short_hash(spec.model, pipeline, str(number)),
            model=spec.model,
            pipeline=pipeline,
            lineage=pipeline,
            spec_hash=content_hash(self.spec),
            seeds=dict(built.seeds),
            offsets=(0, number),
            state_hash=dumped.manifest.state_hash,
            artifact=self.store.put(dumped.payload),
            environment={"river": dumped.manifest.river},
            code="test",
            metrics={},
            created_ts=parse_time(CREATED),
        ).model_dump(mode="json", exclude_none=True)


def row_of(chance: Random, spec: ModelSpec) -> dict[str, Any]:
    """Features of one prediction."""
    values: dict[str, Sequence[Any]] = {
        "boolean": (True, False), "categorical": ("red", "green", "blue"),
    }  # fmt: skip
    return {
        feature.name: chance.gauss(40, 10)
        if feature.kind == "numeric"
        else chance.choice(values[feature.kind])
        for feature in spec.features
    }


def _label(chance: Random, spec: ModelSpec, row: Mapping[str, Any]) -> Any:
    first = next(value for value in row.values() if isinstance(value, float))
    if spec.task == "regression":
        return 2 * first + chance.gauss(0, 1)
    return "true" if first + chance.gauss(0, 5) > 40 else "false"
