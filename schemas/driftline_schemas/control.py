"""Control records of the journal: what the registry decided, at a point of each model's journal."""

from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, ConfigDict, Field

from driftline_schemas.fields import Event, Finite, Hash, Millis, Name
from driftline_schemas.registry import Artifact
from driftline_schemas.spec import RECORDED, FeatureKind, ModelSpec


class Sample(Event):
    """Where the rows of a reference lie."""

    uri: str
    """Where they are."""
    sha256: str
    """Of the bytes."""


class Bins(Event):
    """Bins of one feature (numeric: `edges`, else `categories`), the reference's count in each."""

    kind: FeatureKind
    """Of the feature."""
    edges: list[Finite] | None = None
    """Numeric: bounds between bins, ascending."""
    categories: list[str] | None = None
    """Otherwise: those with a bin of their own."""
    reference: list[int]
    """How many rows of the reference fell into each bin."""


def _recorded_spec(value: object) -> object:
    """A spec that a newer release recorded may have keys that this one does not know, and one of an
    older release floors that this one does not watch."""
    if isinstance(value, ModelSpec):
        return value
    return ModelSpec.model_validate(value, extra="ignore", context=RECORDED)


class SpecBody(Event):
    """A specification comes into force. `files`: where those that its pipelines learn lie."""

    spec_hash: Hash
    """Of the specification."""
    spec: Annotated[ModelSpec, BeforeValidator(_recorded_spec)]
    """The specification."""
    files: dict[str, Artifact] | None = None
    """By name as the specification has it."""


class BinsBody(Event):
    """Bins come into force for predictions appended from `effective_from` on."""

    bins_id: Hash
    """Hash of the bins."""
    effective_from: Millis
    """They count for predictions appended from now on."""
    features: dict[str, Bins]
    """By name."""
    prediction: Bins | None = None
    """Of the model's own outputs."""
    n: int
    """Rows of the reference."""
    sample: Sample | None = None
    """The rows themselves."""


class DeployedBody(Event):
    """Another version serves."""

    deployment_seq: int
    """Number of the deployment."""
    version_id: str
    """What serves from here on."""
    lineage: str
    """Its lineage."""
    previous: str | None = None
    """What served before."""


class ScheduleBody(Event):
    """A schedule is due."""

    schedule_id: str
    """Hash of pipeline and times."""
    due: Millis
    """The time that has come."""
    pipeline: str | None = None
    """What is to learn again."""


class RetrainBody(Event):
    """A pipeline learns again, from a file, which lies at `artifact`, or from a range of the
    journal."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    pipeline: str
    """What is to learn again."""
    source: str | tuple[int, int] = Field(alias="from")
    """A file's name, or the first and the last journal offset."""
    passes: int = 1
    """How often over it."""
    artifact: Artifact | None = None
    """Where the file's bytes lie."""


class AcceptDriftBody(Event):
    """The counts of these panes become the reference."""

    bins_id: Hash
    """The bins in force."""
    from_pane: Millis
    """Start of the first pane."""
    to_pane: Millis
    """Start of the first pane that no longer belongs to it."""


class ControlEvent(Event):
    """What all carry; `seq` is the registry fact's: one not above the highest seen is ignored."""

    kind: Literal["control"] = "control"
    model: Name
    """The model."""
    seq: int
    """Number of the fact that it comes from."""


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
