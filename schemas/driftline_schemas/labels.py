"""The ground truth for a prediction, published when it is known."""

from driftline_schemas.fields import Event, Id, Millis, Name, Output


class Label(Event):
    """One label. Its partition is murmur2 of `prediction_id`, as its prediction's is."""

    prediction_id: Id
    model: Name
    label: Output
    labelled_at: Millis
    source: str | None = None
