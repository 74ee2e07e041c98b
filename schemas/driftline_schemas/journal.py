"""The journal: everything after the joiner is a fold over these records, in their order."""

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from driftline_schemas.control import Control
from driftline_schemas.fields import (
    Event,
    FeatureValue,
    Finite,
    Hash,
    Id,
    Millis,
    Name,
    Output,
    TopicPosition,
)
from driftline_schemas.predictions import Route


class Joined(Event):
    """The prediction's own fields, ours appended. Identity: `label_tp`."""

    kind: Literal["joined"] = "joined"
    model: Name
    """The prediction's."""
    prediction_id: Id
    """The id under which the app asked, the same on its label."""
    model_version: Name
    """What answered."""
    predicted_at: Millis
    """When the app asked, as it says."""
    prediction_ts: Millis
    """When the prediction was appended."""
    prediction_tp: TopicPosition
    """Where it lies in `predictions`."""
    label_ts: Millis
    """When the label was appended."""
    label_tp: TopicPosition
    """Where it lies in `labels`."""
    features: dict[str, FeatureValue]
    """As the prediction has them."""
    prediction: Output
    """What was answered."""
    probabilities: dict[str, Finite] | None = None
    """As the prediction has them."""
    segments: dict[str, str] | None = None
    """As the prediction has them."""
    entity_id: str | None = None
    """As the prediction has it."""
    route: Route | None = None
    """As the prediction has it."""
    label: Output
    """The truth."""


class Correction(Event):
    """A different label for a prediction that was joined. Identity: `label_tp`."""

    kind: Literal["correction"] = "correction"
    model: Name
    """The prediction's."""
    prediction_id: Id
    """The id under which the app asked, the same on its label."""
    model_version: Name
    """What answered."""
    predicted_at: Millis
    """When the app asked, as it says."""
    prediction: Output
    """What was answered."""
    label: Output
    """The truth as it is known now."""
    previous_label: Output
    """What it was taken for."""
    label_ts: Millis
    """When this label was appended."""
    label_tp: TopicPosition
    """Where it lies in `labels`."""
    corrects: TopicPosition
    """`label_tp` of the joined record that it corrects."""


class Counts(Event):
    """Bin counts of one pane in one segment of an input partition; the highest n wins."""

    kind: Literal["counts"] = "counts"
    model: Name
    """The model."""
    model_version: Name
    """What answered."""
    pane: Millis
    """Start of the pane."""
    seconds: int
    """Its length."""
    partition: int
    """Partition of `predictions`."""
    segment: int
    """Number of the segment of that partition, 1,000 offsets each."""
    bins_id: Hash | None = None
    """The bins that were in force; none: only n is counted."""
    n: int
    """First predictions of the segment in this pane so far."""
    skewed: int
    """How many of them have a `predicted_at` that their append time belies."""
    counts: dict[str, list[int]] = {}
    """How many fell into each bin, by feature."""
    prediction_counts: list[int] | None = None
    """How many fell into each bin of the model's own outputs."""


class Mark(Event):
    """How far one joiner has read each input partition: append time, or the clock when idle."""

    kind: Literal["mark"] = "mark"
    times: dict[int, Millis]
    """Time of each input partition that the joiner owns."""


JournalRecord = Annotated[
    Joined | Correction | Counts | Mark | Control, Field(discriminator="kind")
]
JOURNAL_RECORD: TypeAdapter[JournalRecord] = TypeAdapter(JournalRecord)


class Unmatched(Event):
    """A half whose partner did not come within the horizon. Identity: `source_tp`."""

    model: Name
    """As the half says."""
    prediction_id: Id
    """As the half says."""
    reason: Literal["no_label", "no_prediction"]
    """What did not come."""
    source_tp: TopicPosition
    """Where the half lies, in `predictions` or in `labels`."""
    source_ts: Millis
    """When it was appended."""
