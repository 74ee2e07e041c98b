"""From a request's body to its answer: predict, publish, and only then say so."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from time import perf_counter
from typing import Any, Final, Literal

import orjson
import structlog

from driftline.runtime import metrics
from driftline.runtime.dead_letters import VERSION
from driftline.runtime.ports import Clock
from driftline.scorer.problems import Problem
from driftline.scorer.ready import NoPredictionError, Predicted, Ready
from driftline.scorer.recording import NotRecordedError, Recorder
from driftline.scorer.requests import Asked, read_request
from driftline.scorer.settings import Recording
from driftline.scorer.swapping import Standing
from driftline_schemas.fields import format_time
from driftline_schemas.limits import MAX_RECORD_BYTES

log = structlog.get_logger(__name__)

PRODUCER: Final = {"name": "driftline-scorer", "version": VERSION}
RETRY_SECONDS: Final = 1
UNKNOWN: Final = "unknown"  # in metrics: whatever names strangers ask for
OUTSIDE: Final = (
    "{model} is served outside: its specification names no champion, and no version of it was"
    " promoted."
)
Outcome = Literal["answered", "invalid", "no_version", "no_prediction", "not_recorded"]
OUTCOMES: Final[Mapping[int, Outcome]] = {500: "no_prediction", 503: "not_recorded"}


@dataclass(slots=True)
class Predicting:
    """Answers for all models. `not_ready` says what is missing before any can be given."""

    models: Mapping[str, Standing]
    recorder: Recorder
    clock: Clock
    topic: str
    recording: Recording = "best_effort"
    not_ready: str | None = "starting"
    _start: str = field(default_factory=lambda: secrets.token_hex(8))
    _numbers: "count[int]" = field(default_factory=count)

    async def answer(self, model: str, raw: bytes) -> bytes:
        """The body of a 200; Problem for every other outcome."""
        began = perf_counter()
        ready = self._served(model)
        label = metrics.bounded(model)
        try:
            answer = await self._answered(ready, model, read_request(raw))
        except Problem as problem:
            metrics.PREDICTIONS.labels(label, OUTCOMES.get(problem.status, "invalid")).inc()
            raise
        metrics.PREDICTIONS.labels(label, "answered").inc()
        metrics.PREDICTION_SECONDS.labels(label).observe(perf_counter() - began)
        return answer

    def _served(self, model: str) -> Ready:
        """The version that answers from here on, whatever takes over meanwhile."""
        standing = self.models.get(model)
        if standing is not None and standing.served is not None:
            return standing.served
        metrics.PREDICTIONS.labels(UNKNOWN, "no_version").inc()
        if self.not_ready is not None:
            raise Problem(503, f"Not ready: {self.not_ready}.", RETRY_SECONDS)
        if standing is None:
            raise Problem(404, "No spec of this model is applied.")
        if standing.refused:
            raise Problem(503, f"No version of {model} can serve: see /v1/models.", RETRY_SECONDS)
        if standing.wanted.outside:
            raise Problem(404, OUTSIDE.format(model=model))
        raise Problem(503, f"No version of {model} is deployed yet.", RETRY_SECONDS)

    async def _answered(self, ready: Ready, model: str, asked: Asked) -> bytes:
        request = asked.request
        prediction_id = request.prediction_id or f"{self._start}-{next(self._numbers):x}"
        predicted_at = self.clock.now()
        predicted = self._predicted(ready, model, asked)
        answer = _answer(ready, model, prediction_id, predicted)
        record = orjson.dumps(self._event(answer, asked, predicted_at))
        if len(record) > MAX_RECORD_BYTES:
            raise Problem(
                413, f"The record of this prediction has {len(record):,} bytes, over the limit of"
                f" {MAX_RECORD_BYTES:,}: send fewer features or shorter ones.",
            )  # fmt: skip
        await self._record(prediction_id, record, request.recording or self.recording)
        return orjson.dumps(answer | _unseen(predicted, asked))

    def _predicted(self, ready: Ready, model: str, asked: Asked) -> Predicted:
        try:
            return ready.predict(asked.request.features)
        except NoPredictionError as error:
            log.warning("no_prediction", model=model, reason=str(error))
            raise Problem(500, str(error)) from None

    def _event(self, answer: dict[str, Any], asked: Asked, predicted_at: int) -> dict[str, Any]:
        request = asked.request
        event = {
            **answer,
            "predicted_at": format_time(predicted_at),
            "features": request.features,
            "producer": PRODUCER,
        }
        if request.segments is not None:
            event["segments"] = request.segments
        if request.entity_id is not None:
            event["entity_id"] = request.entity_id
        if asked.nonfinite:
            event["nonfinite"] = asked.nonfinite
        return event

    async def _record(self, prediction_id: str, record: bytes, recording: Recording) -> None:
        if recording == "best_effort":
            if not self.recorder.sent(self.topic, prediction_id, record):
                metrics.RECORDING_DROPS.inc()
            return
        try:
            await self.recorder.acknowledged(self.topic, prediction_id, record)
        except NotRecordedError as error:
            raise Problem(
                503, f"The prediction could not be recorded ({error}): ask again.", RETRY_SECONDS
            ) from None


def _answer(ready: Ready, model: str, prediction_id: str, predicted: Predicted) -> dict[str, Any]:
    """What is answered and published."""
    answer: dict[str, Any] = {
        "prediction_id": prediction_id,
        "model": model,
        "model_version": ready.version.version_id,
        "prediction": predicted.prediction,
    }
    if predicted.probabilities is not None:
        answer["probabilities"] = predicted.probabilities
    return answer


def _unseen(predicted: Predicted, asked: Asked) -> dict[str, list[str]]:
    """What is answered besides: features that the model did without; nothing where it had all."""
    if not predicted.left_out:
        return {}
    given = asked.request.features
    kinds: dict[str, list[str]] = {"missing": [], "invalid": []}
    for name in predicted.left_out:
        is_invalid = given.get(name) is not None or name in asked.nonfinite
        kinds["invalid" if is_invalid else "missing"].append(name)
    return {kind: names for kind, names in kinds.items() if names}
