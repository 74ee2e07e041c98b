"""Which records are refused, and for what reason."""

from typing import Any

import orjson
import pytest

from tests.unit.verifier.logs import MODEL, NOON, Topics
from tests.verifier.envelope import Gate, Refused, deeper_than
from tests.verifier.murmur import murmur2, partition_for
from tests.verifier.poison import poison
from tests.verifier.times import millis, rfc3339
from tests.verifier.traffic import Model

GOOD = {
    "prediction_id": "good",
    "model": MODEL,
    "model_version": "v1",
    "predicted_at": "2026-11-25T12:00:00.000Z",
    "features": {"size": 1},
    "prediction": "sky",
}


def reasons(fields: dict[str, Any]) -> set[str]:
    judged = Gate("predictions", 1).admit(orjson.dumps(GOOD | fields), 0)
    return set(judged.reasons) if isinstance(judged, Refused) else set()


@pytest.mark.parametrize(
    ("key", "hashed"),
    # From the tests of the Java client, UtilsTest.testMurmur2.
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_the_partitioner_hashes_as_the_java_client(key: bytes, hashed: int) -> None:
    assert murmur2(key) == hashed % 2**32


@pytest.mark.parametrize("poisoned", poison(Model("m"), 4, at=NOON), ids=lambda case: case.what)
def test_each_poison_is_refused_for_its_reason(poisoned: Any) -> None:
    _, event, reason = poisoned
    judged = Gate(event.topic, 4).admit(event.value, event.partition)
    assert isinstance(judged, Refused)
    assert judged.reasons == {reason}


def test_a_refused_record_is_one_dead_letter_and_neither_joins_nor_counts() -> None:
    topics = Topics()
    topics.prediction("refused", at=0, prediction=True)
    topics.label("refused", "sky", at=1)

    expected = topics.recomputed()

    assert set(expected.dead_letters) == {("test.predictions.v1", 0, 0)}
    assert not expected.joined
    assert not expected.counts


def test_a_record_in_a_wrong_partition_is_misplaced_and_never_joins() -> None:
    topics = Topics(partitions=2)
    home = partition_for(b"astray", 2)
    topics.append(
        "predictions", orjson.dumps(GOOD | {"prediction_id": "astray"}), partition=1 - home
    )
    label = topics.label("astray", "sky", at=1)

    expected = topics.recomputed()

    [dead] = expected.dead_letters.values()
    assert dead.reasons == {"misplaced"}
    assert set(expected.alone) == {("no_prediction", *label)}


def test_unknown_fields_and_bad_features_refuse_nothing() -> None:
    assert reasons({"note": [1], "features": {"size": "x" * 5000, "list": [1]}}) == set()


@pytest.mark.parametrize(
    "time",
    ["2026-11-25T12:00:00Z", "2026-11-25t12:00:00.123456789z", "2026-11-25T12:00:00+05:30"],
)
def test_every_rfc_3339_time_is_accepted(time: str) -> None:
    assert reasons({"predicted_at": time}) == set()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("predicted_at", 1764072000000),
        ("predicted_at", "2026-02-30T12:00:00Z"),
        ("predicted_at", "2026-11-25"),
        ("model", ""),
        ("model", "a\nb"),
        ("model_version", "v" * 129),
        ("prediction", "p" * 1025),
        ("prediction", ["sky"]),
        ("prediction_id", ""),
        ("prediction_id", "id\n"),
    ],
)
def test_an_envelope_field_out_of_bounds_is_invalid(field: str, value: object) -> None:
    assert reasons({field: value}) == {"invalid_field"}


def test_several_faults_leave_the_choice_of_the_reason() -> None:
    judged = Gate("predictions", 64).admit(b'{"prediction_id":"good","a":[[[[[[[[]]]]]]]]}', 63)
    assert isinstance(judged, Refused)
    assert judged.reasons >= {"missing_field", "too_deep"}


def test_eight_levels_are_not_too_deep() -> None:
    assert not deeper_than(orjson.loads(b"[" * 8 + b"]" * 8), 8)
    assert deeper_than(orjson.loads(b"[" * 9 + b"]" * 9), 8)


def test_256_kib_are_not_too_large() -> None:
    gate, opened = Gate("predictions", 1), orjson.dumps(GOOD)[:-1] + b',"note":"'
    full = opened + b"x" * (256 * 1024 - len(opened) - 2) + b'"}'
    assert not isinstance(gate.admit(full, 0), Refused)
    assert gate.admit(full + b" ", 0) == Refused(frozenset({"too_large"}))


def test_times_are_written_in_utc_with_milliseconds_and_read_back() -> None:
    assert rfc3339(NOON + 5) == "2025-11-25T12:00:00.005Z"
    assert millis("2025-11-25T13:00:00.0059+01:00") == NOON + 5
    assert millis(rfc3339(-1)) == -1
