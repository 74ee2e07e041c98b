"""What tests ask of a world of learning: what was heard, what a new process would say."""

from typing import Any

from driftline.core.learning.outcomes import GateDecided, Outcome, VersionMade
from driftline_schemas.journal import Joined
from driftline_schemas.registry import LearningMetric
from tests.world.loop import Learner, World


def said(outcomes: list[Outcome]) -> list[object]:
    """What others hear, but for bytes: the same state may be written in several ways."""
    heard: list[object] = []
    for out in outcomes:
        if isinstance(out, VersionMade):
            hashed = out.version.manifest.state_hash
            heard.append((out.lineage, out.parent, out.version.version_id, hashed, out.figures))
        elif isinstance(out, GateDecided):
            heard.append(out.command)
        else:
            heard.append(out)
    return heard


def versions(world: World, lineage: str) -> list[VersionMade]:
    found = [out for out in world.outcomes if isinstance(out, VersionMade)]
    return [out for out in found if out.lineage == lineage]


def metrics_of(world: World, kind: str = "metric") -> list[LearningMetric]:
    found = [out for out in world.outcomes if isinstance(out, LearningMetric)]
    return [out for out in found if out.kind == kind]


def refold(world: World, every: int | None = None) -> tuple[Learner, list[Outcome]]:
    """The journal of a world folded again, and restarted after so many records."""
    learner, outcomes = Learner(world.store), list[Outcome]()
    for entry in world.learner.journal:
        outcomes += learner.take(entry)
        if every is not None and entry.offset % every == 0:
            learner.restart()
    return learner, outcomes


def joined(
    n: int, x: Any, prediction: Any, label: Any, asked_at: int, version: str = "v"
) -> Joined:
    return Joined(
        model="m", prediction_id=f"p{n}", model_version=version, predicted_at=asked_at,
        prediction_ts=asked_at, prediction_tp=(0, n), label_ts=asked_at + 50, label_tp=(0, n),
        features=dict(x), prediction=prediction, label=label,
    )  # fmt: skip
