"""What follows from the journal, for others to know: versions, verdicts, figures, incidents."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final, NamedTuple

from driftline.core.drift.error_incident import Opened, Resolved
from driftline.core.gates.contest import Evaluation
from driftline.core.learning.figures import WINDOW
from driftline.core.learning.fixed_set import FixedSet
from driftline.core.learning.versions import Recipe, Version
from driftline_schemas.codec import short_hash
from driftline_schemas.registry import (
    Artifact,
    GateEvaluated,
    LearningMetric,
    ModelUpdated,
    Origin,
    RegistryCommand,
    TestSetResult,
)

ACTOR: Final = "learner"


@dataclass(frozen=True, slots=True)
class VersionMade:
    """A version to register; its bytes must lie in the artifact store first. `in_force` is the
    specification (hash) under which it was made."""

    lineage: str
    in_force: str
    parent: str | None
    recipe: Recipe
    version: Version
    payload: bytes
    figures: Mapping[str, float]
    fixed_set: FixedSet | None

    def command(self, artifact: Artifact, tried: TestSetResult | None = None) -> RegistryCommand:
        """What registers it, once its bytes lie at `artifact`, and it was tried on the test set."""
        recipe, version = self.recipe, self.version
        updated = ModelUpdated(
            version_id=version.version_id,
            model=recipe.model,
            pipeline=recipe.pipeline,
            parent=self.parent,
            lineage=self.lineage,
            spec_hash=recipe.spec_hash,
            spec_in_force=self.in_force if self.in_force != recipe.spec_hash else None,
            seeds=dict(recipe.seeds),
            origin=None if recipe.origin is None else Origin.model_validate(recipe.origin),
            offsets=version.offsets,
            state_hash=version.manifest.state_hash,
            artifact=artifact,
            environment=dict(recipe.environment),
            code=recipe.code,
            metrics=dict(self.figures),
            test_set=tried,
            created_ts=version.time,
        )
        return RegistryCommand(
            command_id=short_hash("model_updated", version.version_id),
            action="model_updated",
            actor=ACTOR,
            reason=f"{self.lineage} has learned {version.labels or 'no'} labels",
            body=updated.model_dump(mode="json", exclude_none=True),
        )


class Judged(NamedTuple):
    """A verdict, and the version (with its bytes) that it is about."""

    gate: GateEvaluated
    version: Version
    payload: bytes


@dataclass(frozen=True, slots=True)
class GateDecided:
    """A verdict for the registry, reached at this offset of the journal. `fixed_set`: what the
    version is to be tried on first; if it fails there, the first of the `others` that passes is
    promoted instead, which are proven as well."""

    judged: Judged
    offset: int
    fixed_set: FixedSet | None = None
    others: Sequence[Judged] = ()

    @property
    def gate(self) -> GateEvaluated:
        """The verdict."""
        return self.judged.gate

    @property
    def command(self) -> RegistryCommand:
        """What tells the registry of the verdict where there is no test set."""
        return self.command_of(self.gate)

    def command_of(self, gate: GateEvaluated) -> RegistryCommand:
        """What tells the registry of this one."""
        named = (gate.model, gate.challenger, gate.version_id, gate.verdict)
        return RegistryCommand(
            command_id=short_hash("gate_evaluated", *named, str(self.offset)),
            action="gate_evaluated",
            actor=ACTOR,
            reason=(
                f"{gate.challenger} against {gate.champion}: gain {gate.mean:.3f}, between"
                f" {gate.lower:.3f} and {gate.upper:.3f}, on {gate.n} predictions"
            ),
            body=gate.model_dump(mode="json", exclude_none=True),
        )


@dataclass(frozen=True, slots=True)
class IncidentStepped:
    """The error incident of what is served opened or was resolved at this offset."""

    model: str
    offset: int
    outcome: Opened | Resolved


Outcome = VersionMade | GateDecided | LearningMetric | IncidentStepped


def gate_numbers(evaluation: Evaluation) -> dict[str, float]:
    """The numbers of a verdict by name; those that are not finite are left out."""
    judgement = evaluation.judgement
    gains = judgement.gains
    numbers: dict[str, float | None] = {
        "n": gains.n,
        "blocks": gains.blocks,
        "mean": gains.mean,
        "variance": gains.variance,
        "lower": judgement.lower,
        "upper": judgement.upper,
        "alpha": judgement.alpha,
        "j": evaluation.test,
        "k": evaluation.rivals,
    }
    return finite(numbers)


def finite(numbers: Mapping[str, float | None]) -> dict[str, float]:
    """What can be written as JSON."""
    return {name: n for name, n in numbers.items() if n is not None and isfinite(n)}


def metric(
    kind: Any, model: str, name: str, offset: int, labels: int, metrics: Mapping[str, float],
    **parts: Any,
) -> LearningMetric:  # fmt: skip
    """A figure or an undecided verdict of the lineage (or pipeline) of this name."""
    return LearningMetric(
        kind=kind, model=model, pipeline=name, at_offset=offset, labels=labels,
        metrics=finite(metrics), window=WINDOW if kind == "metric" else None, **parts,
    )  # fmt: skip
