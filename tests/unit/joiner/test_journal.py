"""What the joiner writes is what its readers expect, whatever an app sent."""

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from driftline.core.joining.envelope import read_prediction
from driftline.core.joining.halves import Half
from driftline.core.joining.waiting_labels import WaitingLabel
from driftline.joiner.journal import splice
from driftline_schemas.codec import decode, encode
from driftline_schemas.journal import Joined
from driftline_schemas.predictions import Prediction
from tests.contracts.strategies import events
from tests.unit.joiner.worlds import START, prediction

HALF = Half(7, START, b"")
VALUES = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.integers(
    -(2**63), 2**64 - 1
)
SPACE = st.text(" \n\r\t", max_size=3).map(str.encode)


def joined(raw: bytes, value: str | float = "yes") -> Joined:
    label = WaitingLabel("a", "m", 9, START + 5, value)
    return decode(Joined, splice(raw, 3, HALF, label))


@given(event=events(Prediction), value=VALUES, before=SPACE, after=SPACE)
def test_a_spliced_record_is_a_joined_event_with_the_predictions_own_fields(
    event: Prediction, value: str | int, before: bytes, after: bytes
) -> None:
    raw = before + encode(event) + after
    read_prediction(raw)
    record = joined(raw, value)
    assert record.label == value
    assert (record.prediction_tp, record.label_tp) == ((3, 7), (3, 9))
    assert (record.prediction_ts, record.label_ts) == (START, START + 5)
    theirs = event.model_dump(exclude={"nonfinite", "producer"})
    assert record.model_dump(include=set(theirs)) == theirs


def test_an_apps_own_fields_never_win_over_ours() -> None:
    own: dict[str, Any] = {
        "kind": "mark",
        "label": "theirs",
        "label_tp": [1, 1],
        "prediction_ts": "x",
    }
    raw = prediction("a", **own)
    record = joined(raw)
    assert (record.kind, record.label, record.label_tp) == ("joined", "yes", (3, 9))
    assert orjson.loads(splice(raw, 3, HALF, WaitingLabel("a", "m", 9, START, 1.5)))["label"] == 1.5
