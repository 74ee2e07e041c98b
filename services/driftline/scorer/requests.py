"""Read the body of a request for a prediction, or say in one sentence why it is none."""

import json
from dataclasses import dataclass
from typing import Annotated, Any, Final

import orjson
from pydantic import BaseModel, ConfigDict, Field, StrictStr, ValidationError

from driftline.scorer.problems import Problem
from driftline.scorer.settings import Recording
from driftline_schemas.codec import first_fault
from driftline_schemas.fields import FeatureValue, Finite, Id
from driftline_schemas.limits import MAX_DEPTH, MAX_FEATURES

WIDE: Final = 2.0**63  # a float from here on may have been an integer wider than 64 bit
WIDEST: Final = 2**64 - 1
LOWEST: Final = -(2**63)


class PredictRequest(BaseModel):
    """What to predict from. `prediction_id` is made here if none is given; labels must name it.
    `recording`: `required` answers once the prediction is recorded, `best_effort` at once; without
    it, as the scorer is set."""

    model_config = ConfigDict(extra="forbid")

    features: Annotated[dict[str, FeatureValue], Field(max_length=MAX_FEATURES)]
    prediction_id: Id | None = None
    entity_id: StrictStr | None = None
    segments: dict[StrictStr, StrictStr] | None = None
    recording: Recording | None = None


class PredictAnswer(BaseModel):
    """The prediction, and the version that made it. `missing` and `invalid` are there only if they
    name a feature."""

    prediction_id: Id
    model: str
    model_version: str
    prediction: str | Finite
    probabilities: dict[str, Finite] | None = None
    missing: Annotated[
        list[str] | None,
        Field(description="Features of the specification that the request lacks, or has as null."),
    ] = None
    invalid: Annotated[
        list[str] | None,
        Field(description="Features whose value is not of their kind, or too large."),
    ] = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A request; `nonfinite` names the features that no JSON reader would read alike: they are
    null."""

    request: PredictRequest
    nonfinite: list[str]


def read_request(raw: bytes) -> Asked:
    """Problem 422 for a body that is no request."""
    document = _document(raw)
    try:
        request = PredictRequest.model_validate(document)
    except ValidationError as error:
        raise Problem(422, f"{first_fault(error)}.") from None
    return Asked(request, _without_wide(request.features, raw))


def _document(raw: bytes) -> object:
    try:
        document: object = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        if "ecursion" in error.msg or "depth" in error.msg:  # its own limit, far above ours
            raise Problem(422, TOO_DEEP) from None
        raise Problem(422, f"The body is not JSON: {error.msg}.") from None
    # Brackets bound the depth from above; only documents with many are walked.
    if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH and not _shallow(document, MAX_DEPTH):
        raise Problem(422, TOO_DEEP)
    return document


TOO_DEEP: Final = f"The body is nested deeper than {MAX_DEPTH}."


def _shallow(value: object, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(_shallow(item, levels - 1) for item in inner)


def _without_wide(features: dict[str, Any], raw: bytes) -> list[str]:
    """Integers wider than 64 bit, which orjson reads as floats, become null: they are invalid to
    everybody who reads the record, so the model must not see them either. Their names."""
    suspects = [
        name for name, value in features.items()
        if type(value) is float and not -WIDE < value < WIDE
    ]  # fmt: skip
    if not suspects:
        return []
    exact = json.loads(raw, parse_int=_integer)["features"]
    wide = [name for name in suspects if type(exact[name]) is int]
    features.update(dict.fromkeys(wide))
    return wide


def _integer(digits: str) -> int:
    # Python refuses to read very long ones; only their width matters.
    return int(digits) if len(digits) <= 20 else WIDEST + 1
