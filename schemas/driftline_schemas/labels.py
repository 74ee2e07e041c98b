"""The ground truth for a prediction, published when it is known."""

from driftline_schemas.fields import Event, Id, Millis, Name, Output


class Label(Event):
    """One label. Its partition is murmur2 of `prediction_id`, as its prediction's is."""

    prediction_id: Id
    """That of its prediction, and the key of the record."""
    model: Name
    """As its prediction has it."""
    label: Output
    """The truth: a class is a string, a regression value a number."""
    labelled_at: Millis
    """When it became known."""
    source: str | None = None
    """Where it comes from."""
