"""What the bodies of registry commands hold that people and services give."""

from typing import Annotated, Final

from pydantic import ConfigDict, Field, model_validator

from driftline_schemas.codec import short_hash
from driftline_schemas.fields import Event, Hash, Millis, Name
from driftline_schemas.registry import Artifact
from driftline_schemas.spec import Schedule

PEOPLES: Final = frozenset(
    {"apply_spec", "promote", "rollback", "hold", "lift", "accept_drift", "retrain"}
)
NOT_AFTER_MS: Final = 10_000  # a person's command that waited longer is refused
MAX_ACTOR, MAX_REASON = 200, 1_000  # characters

Version = Annotated[str, Field(min_length=1, max_length=400)]  # a version_id, or model/pipeline/v12
Lineage = Annotated[str, Field(min_length=1, max_length=400)]


class OfModel(Event):
    """Every body names its model, but that of `apply_spec`: there the spec does."""

    model: Name
    """The model."""


class PromoteBody(OfModel):
    """This version is to serve."""

    version: Version
    """Its `version_id`, or `model/pipeline/v12`."""


class RollbackBody(OfModel):
    """An earlier version is to serve again: without `to`, what served before this lineage did."""

    to: Version | None = None
    """What is to serve. Default: what served before this lineage."""


class HoldBody(OfModel):
    """No automatic promotion of a lineage (or of a version's): without one, of what serves."""

    lineage: Lineage | None = None
    """Or a version of it. Default: what serves."""


class LiftBody(OfModel):
    """A lineage (or a version's) may be promoted again: without one, all of the model's."""

    lineage: Lineage | None = None
    """Or a version of it. Default: all that are held."""


class AcceptDriftRequest(OfModel):
    """What the panes from `from_pane` on, up to `to_pane`, hold is the new reference."""

    bins_id: Hash | None = None
    """Default: those in force."""
    from_pane: Millis
    """Start of the first pane."""
    to_pane: Millis
    """Start of the first pane that no longer belongs to it."""

    @model_validator(mode="after")
    def _panes_are_in_order(self) -> "AcceptDriftRequest":
        if self.from_pane >= self.to_pane:
            raise ValueError("from_pane must be before to_pane")
        return self


class RetrainRequest(OfModel):
    """A pipeline of the spec is to learn again, from a file or from a range of the journal."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    pipeline: Annotated[str, Field(min_length=1, max_length=256)]
    """One of the specification."""
    source: str | tuple[int, int] = Field(alias="from")
    """A file's name, or the first and the last journal offset."""
    passes: Annotated[int, Field(ge=1, le=1_000)] = 1
    """How often over it."""
    artifact: Artifact | None = None
    """Where the file's bytes lie; needed for a file."""

    @model_validator(mode="after")
    def _source_can_be_read(self) -> "RetrainRequest":
        if isinstance(self.source, str):
            if self.artifact is None:
                raise ValueError("artifact is missing: say where the file's bytes lie")
        elif not 0 <= self.source[0] <= self.source[1]:
            raise ValueError("from: the first offset must not be behind the last")
        return self


def schedule_id(schedule: Schedule) -> str:
    """The id of a schedule of a model; another time or pipeline makes it another one."""
    return short_hash(schedule.pipeline, schedule.cron)
