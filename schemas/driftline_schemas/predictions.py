"""What a model answered, published by the app that asked or by the scorer."""

from pydantic import Field

from driftline_schemas.fields import Event, FeatureValue, Finite, Id, Millis, Name, Output
from driftline_schemas.limits import MAX_FEATURES


class Route(Event):
    """Why this arm answered."""

    arm: str
    reason: str
    propensity: float | None = None


class Producer(Event):
    """The program that published the event."""

    name: str
    version: str


class Prediction(Event):
    """One prediction. Its partition is murmur2 of `prediction_id`."""

    prediction_id: Id
    model: Name
    model_version: Name
    predicted_at: Millis
    features: dict[str, FeatureValue] = Field(max_length=MAX_FEATURES)
    prediction: Output
    probabilities: dict[str, Finite] | None = None
    segments: dict[str, str] | None = None
    entity_id: str | None = None
    route: Route | None = None
    nonfinite: list[str] | None = None
    producer: Producer | None = None
