"""What the joiner writes is what its readers expect, whatever an app sent."""

from typing import Any

import orjson
import pytest
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
from tests.unit.joiner.worlds import PREDICTIONS_TP, START, A, prediction, started

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


@pytest.mark.parametrize(
    ("literal", "place"),
    [("7", 2), ("18446744073709551616", 4), ("-9223372036854775809", 4), ("9" * 5_000, 4),
     ("18446744073709551615", 2), ("1e30", 2), ("-1e30", 0), ("true", 4), ('"7"', 4), ("null", 3)],
    ids=str,
)  # fmt: skip
async def test_a_feature_counts_in_its_bin_and_an_integer_over_64_bit_as_invalid(
    literal: str, place: int
) -> None:
    if len(literal) > 400 and literal.isdigit():
        literal = "9" * 300  # orjson refuses what no float can hold: the event is no JSON
    world = await started()
    raw = prediction(A).replace(b'"x":0.5', b'"x":' + literal.encode())
    world.reader.append(PREDICTIONS_TP, raw, timestamp=START)
    await world.read()
    world.state.send_counts()
    ((_, _, *vector),) = world.counts().values()
    assert vector.index(1) == place
    assert sum(vector) == 1
