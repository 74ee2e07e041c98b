"""What does the monitor read of the journal's records?

Nine in ten are `joined`, and of these it needs the outcome only. Their features, which the joiner
has validated and the learner reads, are neither validated again nor copied: that took a third of
the monitor's time.
"""

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from driftline_schemas.control import Control
from driftline_schemas.fields import Event, Millis, Name, Output, TopicPosition
from driftline_schemas.journal import Correction, Counts, JournalRecord, Mark


class Labelled(Event):
    """The fields of a `joined` record that say how a prediction came out, as `Joined` has them."""

    kind: Literal["joined"] = "joined"
    model: Name
    model_version: Name
    predicted_at: Millis
    prediction_ts: Millis
    label_ts: Millis
    label_tp: TopicPosition
    prediction: Output
    label: Output


MonitorRecord = JournalRecord | Labelled
MONITOR_RECORD: TypeAdapter[Labelled | Correction | Counts | Mark | Control] = TypeAdapter(
    Annotated[Labelled | Correction | Counts | Mark | Control, Field(discriminator="kind")]
)
