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
    prediction_id: Id
    model_version: Name
    predicted_at: Millis
    prediction_ts: Millis
    prediction_tp: TopicPosition
    label_ts: Millis
    label_tp: TopicPosition
    features: dict[str, FeatureValue]
    prediction: Output
    probabilities: dict[str, Finite] | None = None
    segments: dict[str, str] | None = None
    entity_id: str | None = None
    route: Route | None = None
    label: Output


class Correction(Event):
    """A different label for a prediction that was joined. Identity: `label_tp`."""

    kind: Literal["correction"] = "correction"
    model: Name
    prediction_id: Id
    model_version: Name
    predicted_at: Millis
    prediction: Output
    label: Output
    previous_label: Output
    label_ts: Millis
    label_tp: TopicPosition
    corrects: TopicPosition


class Counts(Event):
    """Bin counts of one pane in one segment of an input partition; the highest n wins."""

    kind: Literal["counts"] = "counts"
    model: Name
    model_version: Name
    pane: Millis
    seconds: int
    partition: int
    segment: int
    bins_id: Hash | None = None
    n: int
    skewed: int
    counts: dict[str, list[int]] = {}
    prediction_counts: list[int] | None = None


class Mark(Event):
    """How far one joiner has read each input partition: append time, or the clock when idle."""

    kind: Literal["mark"] = "mark"
    times: dict[int, Millis]


JournalRecord = Annotated[
    Joined | Correction | Counts | Mark | Control, Field(discriminator="kind")
]
JOURNAL_RECORD: TypeAdapter[JournalRecord] = TypeAdapter(JournalRecord)


class Unmatched(Event):
    """A half whose partner did not come within the horizon. Identity: `source_tp`."""

    model: Name
    prediction_id: Id
    reason: Literal["no_label", "no_prediction"]
    source_tp: TopicPosition
    source_ts: Millis
