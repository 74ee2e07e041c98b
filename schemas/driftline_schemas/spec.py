"""A model's specification, as people write it in YAML."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from driftline_schemas.fields import Name
from driftline_schemas.limits import MAX_FEATURES

FeatureKind = Literal["numeric", "categorical", "boolean"]
Task = Literal["binary", "multiclass", "regression"]
Share = Annotated[float, Field(gt=0, lt=1)]
Duration = Annotated[str, Field(pattern=r"^[0-9]+(ms|s|m|h|d)$")]  # 250ms, 60s, 12h, 7d
PREDICTION_SCOPE = "prediction"  # verdicts about the model's own outputs are filed under this name


class SpecPart(BaseModel):
    """People write specs: an unknown key is a mistake, so it is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Feature(SpecPart):
    """A feature that is watched."""

    name: Annotated[str, Field(min_length=1, max_length=256)]
    kind: FeatureKind


class Floor(SpecPart):
    """A threshold that the user sets by hand."""

    metric: str
    below: float
    over_labels: int = Field(gt=0)


class TestSet(SpecPart):
    """Rows that every version must do well on."""

    file: str
    floor: float | None = None


class GateSpec(SpecPart):
    """What a challenger must show."""

    least_gain: float = 0.03
    min_pairs: int = 200
    alpha: Share = 0.05
    maturity: Duration | None = None
    block: Duration | None = None


class ReferenceSpec(SpecPart):
    """The rows that say what is normal."""

    file: str
    label: str | None = None
    prediction: str | None = None


class Expect(SpecPart):
    """Silence that is an incident."""

    predictions_within: Duration | None = None
    labels_within: Duration | None = None


class Schedule(SpecPart):
    """When to ask for a retrain."""

    cron: str
    pipeline: str
    catch_up: Literal["once", "skip"] = "once"


class ModelSpec(SpecPart):
    """A model, what it eats, how it is judged. Without `champion` it is served outside."""

    model: Name
    task: Task
    features: Annotated[list[Feature], Field(min_length=1, max_length=MAX_FEATURES)]
    metric: str = "accuracy"
    reference: ReferenceSpec | None = None
    alarm_budget: Share = 0.005
    floors: list[Floor] = []
    expect: Expect | None = None
    label_horizon: Duration | None = None
    pipelines: dict[str, list[dict[str, Any]]] = {}
    champion: str | None = None
    version_every: int = Field(default=50, gt=0)
    follow: bool = False
    gate: GateSpec = GateSpec()
    test_set: TestSet | None = None
    latency_limit_ms: float | None = None
    schedules: list[Schedule] = []
    rollout: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _names_are_unambiguous(self) -> Self:
        names = [feature.name for feature in self.features]
        if PREDICTION_SCOPE in names:
            raise ValueError(
                f"a feature may not be called {PREDICTION_SCOPE!r}: verdicts use that name"
            )
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"feature {twice[0]!r} is listed twice")
        if self.champion is not None and self.champion not in self.pipelines:
            raise ValueError(f"champion {self.champion!r} is none of the pipelines")
        return self
