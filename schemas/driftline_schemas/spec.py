"""A model's specification, as people write it in YAML."""

import operator
from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from driftline_schemas.fields import Name
from driftline_schemas.limits import MAX_FEATURES

FeatureKind = Literal["numeric", "categorical", "boolean"]
Task = Literal["binary", "multiclass", "regression"]
Share = Annotated[float, Field(gt=0, lt=1)]
Duration = Annotated[str, Field(pattern=r"^[0-9]+(ms|s|m|h|d)$")]  # 250ms, 60s, 12h, 7d
PREDICTION_SCOPE = "prediction"  # verdicts about the model's own outputs are filed under this name
FLOOR_METRICS: Final = ("accuracy",)
FLOOR_LABELS: Final = 10_000  # the monitor remembers each label that a floor looks at
RECORDED: Final = "recorded"  # context of validation: a spec that is in force is not refused


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


def refused_floors(task: Task, floors: Sequence[Floor]) -> str | None:
    """Why floors cannot be watched, in one sentence; None if they can."""
    if floors and task == "regression":
        return (
            "regression models have no floors, because the metric of a floor is accuracy, which"
            " needs classes: leave floors out"
        )
    for floor in floors:
        if floor.metric not in FLOOR_METRICS:
            return f"a floor on {floor.metric!r} is not possible, its metric must be accuracy"
        if not 0 < floor.below <= 1:
            return f"a floor of accuracy lies above 0 and not above 1, not at {floor.below:g}"
        if floor.over_labels > FLOOR_LABELS:
            return f"a floor looks at no more than {FLOOR_LABELS:,} labels (over_labels)"
    if len(floors) > len({floor.metric for floor in floors}):
        return "a metric has one floor: keep one of those on accuracy"
    return None


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


class Train(SpecPart):
    """The file that makes a pipeline once and for all: `passes` over its rows, in their order, or
    shuffled before each pass by a generator of this seed. It learns nothing from the journal."""

    file: str
    label: str | None = None  # default: that of the reference
    passes: int = Field(default=1, ge=1, le=1_000)
    seed: int | None = None


class Warm(SpecPart):
    """The file that a pipeline learns once, row by row, before it learns on from the journal."""

    file: str
    label: str | None = None  # default: that of the reference


class Expect(SpecPart):
    """Silence that is an incident."""

    predictions_within: Duration | None = None
    labels_within: Duration | None = None

    @field_validator("predictions_within", "labels_within")
    @classmethod
    def _is_some_time(cls, within: str | None, info: ValidationInfo) -> str | None:
        if within and not within.rstrip("mshd").strip("0") and info.context != RECORDED:
            raise ValueError(f"{within} must be longer than nothing")
        return within


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
    train: Annotated[dict[str, Train], Field(exclude_if=operator.not_)] = {}
    warm: Annotated[dict[str, Warm], Field(exclude_if=operator.not_)] = {}
    champion: str | None = None
    version_every: int = Field(default=50, gt=0)
    follow: bool = False
    gate: GateSpec = GateSpec()
    test_set: TestSet | None = None
    latency_limit_ms: float | None = None
    schedules: list[Schedule] = []
    rollout: dict[str, Any] | None = None

    @field_validator("floors")
    @classmethod
    def _floors_can_be_watched(cls, floors: list[Floor], info: ValidationInfo) -> list[Floor]:
        task = info.data.get("task")
        if task is not None and info.context != RECORDED and (why := refused_floors(task, floors)):
            raise ValueError(why)
        return floors

    @property
    def watched_floors(self) -> list[Floor]:
        """Its floors; none if an older release took ones that cannot be watched."""
        return [] if refused_floors(self.task, self.floors) else self.floors

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

    @model_validator(mode="after")
    def _files_belong_to_pipelines(self) -> Self:
        for key, made in (("train", self.train), ("warm", self.warm)):
            for name, source in made.items():
                if name not in self.pipelines:
                    raise ValueError(f"{key}.{name} is none of the pipelines")
                if self.label_column(source) is None:
                    raise ValueError(
                        f"{key}.{name} does not say which column is the label: add `label: ...`"
                    )
        if both := sorted(self.train.keys() & self.warm.keys()):
            raise ValueError(f"pipeline {both[0]!r} has both train and warm: keep one")
        return self

    def label_column(self, source: Train | Warm) -> str | None:
        """The column of a file that holds the truth; None if the spec does not say."""
        return source.label or (self.reference.label if self.reference else None)

    @property
    def learning_files(self) -> list[str]:
        """The files that its pipelines learn from, each once, sorted."""
        trained = {source.file for source in self.train.values()}
        return sorted(trained | {source.file for source in self.warm.values()})
