"""What does a learner need of a joined record? Read without the cost of checking the rest."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from driftline_schemas.fields import FeatureValue, Output, TopicPosition, parse_time

OUTPUTS: Final = (str, float, int)


class Labelled(NamedTuple):
    """Part of a joined record, under the same names; times in ms."""

    model: str
    model_version: str
    predicted_at: int
    prediction_ts: int
    label_ts: int
    label_tp: TopicPosition
    features: Mapping[str, FeatureValue]
    prediction: Output
    label: Output


def labelled(document: Mapping[str, Any]) -> Labelled | None:
    """The part of a joined record as the joiner writes it. None for anything unusual: whoever
    validates the whole of it says what is wrong."""
    try:
        model, version = document["model"], document["model_version"]
        partition, offset = document["label_tp"]
        features, prediction, label = (
            document["features"], document["prediction"], document["label"],
        )  # fmt: skip
        times = (
            parse_time(document["predicted_at"]),
            parse_time(document["prediction_ts"]),
            parse_time(document["label_ts"]),
        )
    except (KeyError, TypeError, ValueError):
        return None
    is_plain = (
        type(model) is type(version) is str
        and type(partition) is type(offset) is int
        and type(features) is dict
        and type(prediction) in OUTPUTS
        and type(label) in OUTPUTS
    )
    if not is_plain:
        return None
    return Labelled(model, version, *times, (partition, offset), features, prediction, label)
