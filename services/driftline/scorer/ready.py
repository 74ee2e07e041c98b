"""A version in memory: features in, prediction out."""

from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Final, NamedTuple, Self

from driftline.core.learning.binary import OnlineModel
from driftline.core.learning.features import Features, FeatureSchema
from driftline.scorer.wanted import VersionSpec
from driftline_schemas.fields import MAX_OUTPUT_CHARACTERS
from driftline_schemas.spec import Task

CERTAIN: Final = 1.0 + 1e-6  # a sum of floats may be a little above 1


class NoPredictionError(Exception):
    """The version has no valid answer for these features; the message is one sentence."""


class Predicted(NamedTuple):
    """A class with the probabilities of all, where the pipeline has them; or a number. `left_out`:
    features of the specification that the pipeline did not see."""

    prediction: str | float
    probabilities: dict[str, float] | None
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ready:
    """A loaded version; nothing in it changes any more, so any number of requests may share it."""

    version: VersionSpec
    model: OnlineModel = field(repr=False)
    schema: FeatureSchema
    task: Task

    @classmethod
    def of(cls, version: VersionSpec, model: OnlineModel) -> Self:
        """The version around its model."""
        spec = version.contract.spec
        return cls(version, model, FeatureSchema.of(spec.features), spec.task)

    def predict(self, recorded: dict[str, Any]) -> Predicted:
        """NoPredictionError where the pipeline fails or says nothing that can be recorded."""
        features = self.schema.canonical(recorded)
        left_out = self._left_out(features)
        try:
            if self.task == "regression":
                return Predicted(_number(self.model.predict_one(features)), None, left_out)
            prediction = _class(self.model.predict_one(features))
            return Predicted(prediction, self._chances(features), left_out)
        except NoPredictionError as error:
            raise NoPredictionError(f"{self.version.name} {error} for these features.") from None
        except Exception as error:
            # River on any data raises anything. What it says may hold the data: its kind will do.
            raise NoPredictionError(
                f"{self.version.name} fails with {type(error).__name__} on these features."
            ) from error

    def _left_out(self, seen: Features) -> tuple[str, ...]:
        if len(seen) == len(self.schema.kinds):  # nearly always
            return ()
        return tuple(name for name, _ in self.schema.kinds if name not in seen)

    def _chances(self, features: Features) -> dict[str, float] | None:
        predict_proba = getattr(self.model, "predict_proba_one", None)
        if predict_proba is None:
            return None
        try:
            chances = {str(name): float(chance) for name, chance in predict_proba(features).items()}
        except NotImplementedError:  # perceptrons and their like
            return None
        if not all(0.0 <= chance <= CERTAIN for chance in chances.values()):  # NaN is not either
            raise NoPredictionError("has probabilities outside of 0 to 1")
        return chances or None


def _class(prediction: object) -> str:
    if prediction is None:
        raise NoPredictionError("has no class")
    name = str(prediction)
    if len(name) > MAX_OUTPUT_CHARACTERS:
        raise NoPredictionError(f"has a class of over {MAX_OUTPUT_CHARACTERS} characters")
    return name


def _number(prediction: object) -> float:
    if not isinstance(prediction, int | float) or not isfinite(prediction):
        raise NoPredictionError("has no finite number")
    return float(prediction)
