"""A dead letter, changed at will."""

from base64 import b64encode
from typing import Any

import orjson

from driftline.cli.letters import Letter
from driftline_schemas.dead_letters import DeadLetter

EVENT = {"prediction_id": "id-1", "model": "churn", "producer": {"name": "shop", "version": "1.4"}}


def letter(
    value: bytes | None = None, *, kept: int | None = None, place: int = 5, **fields: Any
) -> Letter:
    raw = orjson.dumps(EVENT) if value is None else value
    told: dict[str, Any] = {
        "reason": "misplaced",
        "sentence": "it lies wrong",
        "topic": "driftline.predictions.v1",
        "partition": 3,
        "offset": 17,
        "service": "joiner",
        "version": "0.1.0",
        "key": "some key",
        "value": b64encode(raw[:kept]).decode(),
        "sha256": "0" * 64,
        "length": len(raw),
        **fields,
    }
    return Letter(2, place, 1_790_000_000_000, DeadLetter(**told))
