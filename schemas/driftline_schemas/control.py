"""Control records of the journal: what the registry decided, at a point of each model's journal."""

from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, ConfigDict, Field

from driftline_schemas.fields import Event, Hash, Millis, Name
from driftline_schemas.registry import Artifact
from driftline_schemas.spec import RECORDED, FeatureKind, ModelSpec


class Sample(Event):
    """Where the rows of a reference lie."""

    uri: str
    sha256: str


class Bins(Event):
    """Bins of one feature (numeric: `edges`, else `categories`), the reference's count in each."""

    kind: FeatureKind
    edges: list[float] | None = None
    categories: list[str] | None = None
    reference: list[int]


def _recorded_spec(value: object) -> object:
    """A spec that a newer release recorded may have keys that this one does not know, and one of an
    older release floors that this one does not watch."""
    if isinstance(value, ModelSpec):
        return value
    return ModelSpec.model_validate(value, extra="ignore", context=RECORDED)


class SpecBody(Event):
    """A specification comes into force. `files`: where those that its pipelines learn lie."""

    spec_hash: Hash
    spec: Annotated[ModelSpec, BeforeValidator(_recorded_spec)]
    files: dict[str, Artifact] | None = None


class BinsBody(Event):
    """Bins come into force for predictions appended from `effective_from` on."""

    bins_id: Hash
    effective_from: Millis
    features: dict[str, Bins]
    prediction: Bins | None = None
    n: int
    sample: Sample | None = None


class DeployedBody(Event):
    """Another version serves."""

    deployment_seq: int
    version_id: str
    lineage: str
    previous: str | None = None


class ScheduleBody(Event):
    """A schedule is due."""

    schedule_id: str
    due: Millis
    pipeline: str | None = None


class RetrainBody(Event):
    """A pipeline learns again, from a file, which lies at `artifact`, or from a range of the
    journal."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    pipeline: str
    source: str | tuple[int, int] = Field(alias="from")
    passes: int = 1
    artifact: Artifact | None = None


class AcceptDriftBody(Event):
    """The counts of these panes become the reference."""

    bins_id: Hash
    from_pane: Millis
    to_pane: Millis


class ControlEvent(Event):
    """What all carry; `seq` is the registry fact's: one not above the highest seen is ignored."""

    kind: Literal["control"] = "control"
    model: Name
    seq: int


class SpecControl(ControlEvent):
    """From here on the model is watched by this specification."""

    action: Literal["spec"] = "spec"
    body: SpecBody


class BinsControl(ControlEvent):
    """The bins of a model and the counts of its reference."""

    action: Literal["bins"] = "bins"
    body: BinsBody


class DeployedControl(ControlEvent):
    """From here on another version serves."""

    action: Literal["deployed"] = "deployed"
    body: DeployedBody


class ScheduleControl(ControlEvent):
    """A schedule of the model is due."""

    action: Literal["schedule"] = "schedule"
    body: ScheduleBody


class RetrainControl(ControlEvent):
    """A pipeline of the model is to learn again."""

    action: Literal["retrain"] = "retrain"
    body: RetrainBody


class AcceptDriftControl(ControlEvent):
    """What drifted is the new normal."""

    action: Literal["accept_drift"] = "accept_drift"
    body: AcceptDriftBody


CONTROLS: Final = (
    SpecControl, BinsControl, DeployedControl, ScheduleControl, RetrainControl, AcceptDriftControl,
)  # fmt: skip
Control = Annotated[
    SpecControl
    | BinsControl
    | DeployedControl
    | ScheduleControl
    | RetrainControl
    | AcceptDriftControl,
    Field(discriminator="action"),
]
