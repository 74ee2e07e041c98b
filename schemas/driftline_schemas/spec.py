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
DURATION_PATTERN: Final = r"^[0-9]{1,9}(ms|s|m|h|d)$"  # 250ms, 60s, 12h, 7d
Duration = Annotated[str, Field(pattern=DURATION_PATTERN)]
PREDICTION_SCOPE = "prediction"  # verdicts about the model's own outputs are filed under this name
FLOOR_METRICS: Final = ("accuracy",)
FLOOR_LABELS: Final = 10_000  # the monitor remembers each label that a floor looks at
LEAST_ALPHA: Final = 1e-9
NO_LABEL: Final = "does not say which column is the label: add `label: ...`"
RECORDED: Final = "recorded"  # context of validation: a spec that is in force is not refused


class SpecFaultError(ValueError):
    """Parts of a specification that do not go together; `place` is the path to the one to mend."""

    def __init__(self, place: tuple[str | int, ...], sentence: str) -> None:
        super().__init__(sentence)
        self.place = place


class SpecPart(BaseModel):
    """People write specs: an unknown key is a mistake, so it is refused."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )


class Feature(SpecPart):
    """A feature that is watched."""

    name: Annotated[str, Field(min_length=1, max_length=256)]
    """As events have it."""
    kind: FeatureKind
    """How its values are divided: 20 quantiles, or the 20 most frequent."""


class Floor(SpecPart):
    """A threshold that the user sets by hand."""

    metric: str
    """`accuracy`."""
    below: float
    """Fires when it is lower than this."""
    over_labels: int = Field(gt=0)
    """Over the last so many labels."""


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
    """Rows that every version is tried on: one whose accuracy is below `floor` is not promoted by
    itself, nor does it follow one that serves. Without a floor the accuracy is only recorded."""

    file: str
    """A CSV with a header, beside the specification."""
    label: str | None = None
    """Column of the truth. Default: that of the reference."""
    floor: Annotated[float, Field(gt=0, le=1)] | None = None
    """The least accuracy."""


class GateSpec(SpecPart):
    """What a challenger must show."""

    least_gain: float = 0.03
    """How much better it must be at least, as a difference of accuracies."""
    min_pairs: int = 200
    """No verdict on fewer predictions."""
    alpha: Share = 0.05
    """Chance that a challenger which is not better is ever promoted, over all tests."""
    maturity: Duration | None = None
    """A pair counts once its prediction is this old: quick labels are not like late ones."""
    block: Duration | None = None
    """Where neighbours are alike: judge means of blocks of this length, at least 20 of them."""

    @model_validator(mode="after")
    def _can_be_judged_by(self, info: ValidationInfo) -> Self:
        if info.context == RECORDED:
            return self
        if self.min_pairs < 2:
            raise ValueError("min_pairs must be 2 or more")
        if self.alpha < LEAST_ALPHA:
            raise ValueError(f"alpha must be {LEAST_ALPHA:g} or more")
        if not -1 <= self.least_gain <= 1:
            raise ValueError("least_gain is a difference of shares, between -1 and 1")
        if self.block is not None and not self.block.rstrip("mshd").strip("0"):
            raise ValueError(f"a block of {self.block} must be longer than nothing")
        return self


class ReferenceSpec(SpecPart):
    """The rows that say what is normal."""

    file: str
    """A CSV with a header, beside the specification."""
    label: str | None = None
    """Column of the truth."""
    prediction: str | None = None
    """Column of the model's answers; without it the model's outputs are not judged."""


class Train(SpecPart):
    """The file that makes a pipeline once and for all: `passes` over its rows, in their order, or
    shuffled before each pass by a generator of this seed. It learns nothing from the journal."""

    file: str
    """A CSV with a header, beside the specification."""
    label: str | None = None
    """Column of the truth. Default: that of the reference."""
    passes: int = Field(default=1, ge=1, le=1_000)
    """How often over its rows."""
    seed: int | None = None
    """Of the shuffling. Default: no shuffling."""


class Warm(SpecPart):
    """The file that a pipeline learns once, row by row, before it learns on from the journal."""

    file: str
    """A CSV with a header, beside the specification."""
    label: str | None = None
    """Column of the truth. Default: that of the reference."""


class Expect(SpecPart):
    """Silence that is an incident."""

    predictions_within: Duration | None = None
    """No prediction for so long is an incident."""
    labels_within: Duration | None = None
    """No label for so long is an incident."""

    @field_validator("predictions_within", "labels_within")
    @classmethod
    def _is_some_time(cls, within: str | None, info: ValidationInfo) -> str | None:
        if within and not within.rstrip("mshd").strip("0") and info.context != RECORDED:
            raise ValueError(f"{within} must be longer than nothing")
        return within


class Schedule(SpecPart):
    """When to ask for a retrain."""

    cron: str
    """When, as cron writes it, in UTC."""
    pipeline: str
    """What is to learn again."""
    catch_up: Literal["once", "skip"] = "once"
    """What becomes of times that passed while nobody was there: one of them, or none."""


class ModelSpec(SpecPart):
    """A model, what it eats, how it is judged. Without `champion` it is served outside."""

    model: Name
    """The name under which apps ask."""
    task: Task
    """Classes are strings, regression values numbers."""
    features: Annotated[list[Feature], Field(min_length=1, max_length=MAX_FEATURES)]
    """What is watched and learned; other features of events are ignored."""
    metric: str = "accuracy"
    """How good a model is: accuracy of classes, `mean_absolute_error` of numbers."""
    reference: ReferenceSpec | None = None
    """The rows that say what is normal. Without one, data drift cannot be evaluated."""
    alarm_budget: Share = 0.005
    """False alarms of data drift that you accept, per 5,000 predictions."""
    floors: list[Floor] = []
    """Thresholds on accuracy."""
    expect: Expect | None = None
    """Silence that is an incident."""
    label_horizon: Duration | None = None
    """Leave it out: all models of an installation have the same one, and another is refused."""
    pipelines: dict[str, list[dict[str, Any]]] = {}
    """Steps of each pipeline: River classes from an allow-list, with their parameters."""
    train: Annotated[dict[str, Train], Field(exclude_if=operator.not_)] = {}
    """Pipelines that are made from a file and then frozen."""
    warm: Annotated[dict[str, Warm], Field(exclude_if=operator.not_)] = {}
    """Pipelines that begin with a file and then learn every label."""
    champion: str | None = None
    """The pipeline that serves first. Default: the model is served outside."""
    version_every: int = Field(default=50, gt=0)
    """Labels between two versions of a pipeline."""
    follow: bool = False
    """The lineage that serves advances to each of its newer versions by itself."""
    gate: GateSpec = GateSpec()
    """What a challenger must show before it serves."""
    test_set: TestSet | None = None
    """Rows that every version is tried on."""
    latency_limit_ms: float | None = None
    """A version that takes longer for a reference row does not serve."""
    schedules: list[Schedule] = []
    """When pipelines learn again by themselves."""
    rollout: dict[str, Any] | None = None
    """Not there yet: every deployment is to all traffic at once."""

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

    @field_validator("test_set")
    @classmethod
    def _test_set_can_be_tried(
        cls, test_set: TestSet | None, info: ValidationInfo
    ) -> TestSet | None:
        if test_set is not None and info.data.get("task") == "regression":
            if info.context == RECORDED:
                return None  # an older release took it, and never tried it
            raise ValueError(
                "regression models have no test set, because what is recorded of one is accuracy,"
                " which needs classes: leave test_set out"
            )
        return test_set

    @field_validator("rollout")
    @classmethod
    def _rollout_is_not_there_yet(
        cls, rollout: dict[str, Any] | None, info: ValidationInfo
    ) -> dict[str, Any] | None:
        if rollout is not None and info.context != RECORDED:
            raise ValueError("this release deploys to all at once: leave rollout out")
        return rollout

    @model_validator(mode="after")
    def _names_are_unambiguous(self) -> Self:
        names = [feature.name for feature in self.features]
        if PREDICTION_SCOPE in names:
            raise SpecFaultError(
                ("features", names.index(PREDICTION_SCOPE)),
                f"a feature may not be called {PREDICTION_SCOPE!r}: verdicts use that name",
            )
        if twice := sorted({name for name in names if names.count(name) > 1}):
            second = names.index(twice[0], names.index(twice[0]) + 1)
            raise SpecFaultError(("features", second), f"feature {twice[0]!r} is listed twice")
        if self.champion is not None and self.champion not in self.pipelines:
            raise SpecFaultError(
                ("champion",), f"champion {self.champion!r} is none of the pipelines"
            )
        return self

    @model_validator(mode="after")
    def _files_belong_to_pipelines(self) -> Self:
        for key, made in (("train", self.train), ("warm", self.warm)):
            for name, source in made.items():
                if name not in self.pipelines:
                    raise SpecFaultError((key, name), f"{key}.{name} is none of the pipelines")
                if self.label_column(source) is None:
                    raise SpecFaultError((key, name), f"{key}.{name} {NO_LABEL}")
        if both := sorted(self.train.keys() & self.warm.keys()):
            raise SpecFaultError(
                ("warm", both[0]), f"pipeline {both[0]!r} has both train and warm: keep one"
            )
        if self.test_set is not None and self.label_column(self.test_set) is None:
            raise SpecFaultError(("test_set",), f"test_set {NO_LABEL}")
        return self

    def label_column(self, source: Train | Warm | TestSet) -> str | None:
        """The column of a file that holds the truth; None if the spec does not say."""
        return source.label or (self.reference.label if self.reference else None)

    @property
    def learning_sources(self) -> list[Train | Warm | TestSet]:
        """What its versions learn from, and are tried on."""
        tried = [] if self.test_set is None else [self.test_set]
        return [*self.train.values(), *self.warm.values(), *tried]

    @property
    def learning_files(self) -> list[str]:
        """The files that its versions learn from and are tried on, each once, sorted."""
        return sorted({source.file for source in self.learning_sources})
