"""What does a specification say about each of its pipelines?"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from driftline.core.learning.features import FeatureSchema
from driftline.core.learning.pipelines import Built, build_pipeline
from driftline_schemas.codec import content_hash
from driftline_schemas.control import SpecBody
from driftline_schemas.registry import Artifact
from driftline_schemas.spec import Task, Train


@dataclass(frozen=True, slots=True)
class Source:
    """The file that a pipeline learns before anything else."""

    artifact: Artifact
    label: str
    passes: int
    seed: int | None

    @property
    def origin(self) -> dict[str, Any]:
        """As a recipe says it."""
        origin = {"file": self.artifact.sha256, "label": self.label, "passes": self.passes}
        return origin if self.seed is None else {**origin, "seed": self.seed}


@dataclass(frozen=True, slots=True)
class Plan:
    """A pipeline of a specification. `learns`: from the journal. Two of the same `definition` learn
    the same from the same records."""

    pipeline: str
    steps: tuple[dict[str, Any], ...]
    schema: FeatureSchema
    task: Task
    learns: bool
    source: Source | None
    seed: int | None  # of the order in which a file is learned
    label: str | None  # column of a file that holds the truth
    definition: str
    fault: str | None = None  # why it cannot begin

    def build(self) -> Built:
        """A model that has learned nothing. Raises PipelineRefusedError."""
        return build_pipeline(self.steps, self.schema, self.task, ("pipelines", self.pipeline))


def plans_of(body: SpecBody) -> Mapping[str, Plan]:
    """The pipelines by name, in the order of the specification."""
    schema = FeatureSchema.of(body.spec.features)
    return {name: _plan(body, name, schema) for name in body.spec.pipelines}


def _plan(body: SpecBody, name: str, schema: FeatureSchema) -> Plan:
    spec = body.spec
    steps = tuple(spec.pipelines[name])
    given = spec.train.get(name) or spec.warm.get(name)
    source, seed, fault = None, None, None
    label = spec.label_column(given) if given else None
    if given is None and spec.reference is not None:
        label = spec.reference.label
    if given is not None:
        passes, seed = (given.passes, given.seed) if isinstance(given, Train) else (1, None)
        artifact = (body.files or {}).get(given.file)
        if artifact is not None:
            source = Source(artifact, label or "", passes, seed)
        else:
            fault = f"the specification does not say where the bytes of {given.file} lie"
    learns = name not in spec.train
    definition = content_hash({
        "steps": steps, "features": schema.kinds, "task": spec.task, "learns": learns,
        "source": source and source.origin,
    })  # fmt: skip
    return Plan(name, steps, schema, spec.task, learns, source, seed, label, definition, fault)
