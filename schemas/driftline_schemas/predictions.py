"""What a model answered, published by the app that asked or by the scorer."""

from pydantic import Field

from driftline_schemas.fields import Event, FeatureValue, Finite, Id, Millis, Name, Output
from driftline_schemas.limits import MAX_FEATURES


class Route(Event):
    """Why this arm answered."""

    arm: str
    """The arm that answered, such as champion or canary."""
    reason: str
    """Why it was chosen."""
    propensity: float | None = None
    """The probability with which it was chosen."""


class Producer(Event):
    """The program that published the event."""

    name: str
    """The program."""
    version: str
    """Its version."""


class Prediction(Event):
    """One prediction. Its partition is murmur2 of `prediction_id`."""

    prediction_id: Id
    """Chosen by the app, unique; its label comes under the same one. Also the key of the record."""
    model: Name
    """The name under which the app asks."""
    model_version: Name
    """What exactly answered: for a model served outside, whatever its app says."""
    predicted_at: Millis
    """When the app asked. More than 5 minutes after the append time, it counts under that."""
    features: dict[str, FeatureValue] = Field(max_length=MAX_FEATURES)
    """What the model saw. One out of bounds counts as `invalid`; it never rejects the event."""
    prediction: Output
    """What it answered: a class is a string, a regression value a number."""
    probabilities: dict[str, Finite] | None = None
    """The probability of each class."""
    segments: dict[str, str] | None = None
    """Groups that the prediction belongs to, such as `{"region": "eu"}`; carried along."""
    entity_id: str | None = None
    """Whom or what it is about; carried along."""
    route: Route | None = None
    """Why this arm answered."""
    nonfinite: list[str] | None = None
    """Features that were NaN or infinite: they are sent as null."""
    producer: Producer | None = None
    """The program that published the event; odd times are counted by its name."""
