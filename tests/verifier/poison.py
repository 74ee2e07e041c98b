"""Bad input: each record is one dead letter, and nothing else may come of it."""

import random
from typing import NamedTuple

import orjson

from tests.verifier.envelope import Json
from tests.verifier.murmur import partition_for
from tests.verifier.times import rfc3339
from tests.verifier.traffic import CLASSES, ODDITIES, Event, Model, placed, spoil

Case = tuple[str, bytes | None, str]  # what it is, the value, the reason to refuse it


class Poison(NamedTuple):
    """A record that must be refused, for this reason."""

    what: str
    event: Event
    reason: str


def poison(model: Model, partitions: int, *, at: int, seed: int = 0) -> list[Poison]:
    """Bad predictions, then bad labels; at least two partitions. `at` in milliseconds."""
    prediction = _prediction(model, at, random.Random(seed))
    label: Json = {"model": model.name, "label": CLASSES[0], "labelled_at": rfc3339(at)}
    return [
        *_poisons("predictions", prediction, partitions, _bad_outputs(prediction)),
        *_poisons("labels", label, partitions, []),
    ]


def bad_features(model: Model, partitions: int, *, at: int, seed: int = 0) -> list[Event]:
    """Predictions that are good but for one feature, which counts as invalid."""
    chance, events = random.Random(seed), []
    for oddity in range(len(ODDITIES)):
        document = {"prediction_id": f"odd-{seed}-{oddity}"} | _prediction(model, at, chance)
        spoil(document, model, oddity)
        events.append(placed("predictions", document, partitions))
    return events


def long_integer(model: Model, partitions: int, *, at: int, seed: int = 0) -> Event:
    """A prediction with an integer over 64 bit, which most parsers make a float of."""
    document: Json = {"prediction_id": f"long-{seed}"} | _prediction(model, at, random.Random(seed))
    document["features"][f"{model.name}_numeric_0"] = "long"
    event = placed("predictions", document, partitions)
    return event._replace(value=(event.value or b"").replace(b'"long"', b"1" + b"0" * 30))


def _prediction(model: Model, at: int, chance: random.Random) -> Json:
    return {
        "model": model.name,
        "model_version": model.versions[0],
        "predicted_at": rfc3339(at),
        "features": model.features(chance),
        "prediction": CLASSES[0],
    }


def _poisons(topic: str, good: Json, partitions: int, more: list[Case]) -> list[Poison]:
    cases = [*_bad_bytes(good), *_bad_fields(topic, good), *more]
    found = [
        Poison(what, _event(topic, what, value, partitions), why) for what, value, why in cases
    ]
    event = placed(topic, {"prediction_id": "elsewhere"} | good, partitions)
    away = event._replace(partition=(event.partition + 1) % partitions)
    return [*found, Poison("wrong partition", away, "misplaced")]


def _event(topic: str, what: str, value: bytes | None, partitions: int) -> Event:
    # All have the one id "bad" where they have a good one, so none is misplaced as well.
    return Event(topic, partition_for(b"bad", partitions), what.encode(), value)


def _bad_bytes(good: Json) -> list[Case]:
    opened = orjson.dumps({"prediction_id": "bad"} | good)[:-1]
    return [
        ("broken JSON", opened, "invalid_json"),
        ("a NaN token", opened + b',"score":NaN}', "invalid_json"),
        ("a number beyond floats", opened + b',"score":1e400}', "invalid_json"),
        ("invalid UTF-8", opened + b',"note":"\xff\xfe"}', "invalid_json"),
        ("900 KB", opened + b',"note":"' + b"x" * 900_000 + b'"}', "too_large"),
        ("depth 1000", opened + b',"note":' + b"[" * 999 + b"]" * 999 + b"}", "too_deep"),
        ("depth 9", opened + b',"note":' + b"[" * 8 + b"]" * 8 + b"}", "too_deep"),
        ("a list", b"[1,2,3]", "not_an_object"),
        ("a null value", None, "empty"),
    ]


def _bad_fields(topic: str, good: Json) -> list[Case]:
    named = {"prediction_id": "bad"} | good
    time = "predicted_at" if topic == "predictions" else "labelled_at"
    without_model = {name: value for name, value in named.items() if name != "model"}
    return _dumped(
        ("an id that is a number", named | {"prediction_id": 17}, "invalid_field"),
        ("an id with a space", named | {"prediction_id": "one two"}, "invalid_field"),
        ("an id of 129 letters", named | {"prediction_id": "i" * 129}, "invalid_field"),
        ("no id", good, "missing_field"),
        ("no model", without_model, "missing_field"),
        ("a time that is none", named | {time: "yesterday"}, "invalid_field"),
        ("a time without offset", named | {time: "2026-11-25T21:00:05.000"}, "invalid_field"),
    )


def _bad_outputs(good: Json) -> list[Case]:
    named = {"prediction_id": "bad"} | good
    crowd = {f"feature {number}": number for number in range(1001)}
    return _dumped(
        ("1,001 features", named | {"features": crowd}, "too_many_features"),
        ("features that are a list", named | {"features": [1, 2]}, "invalid_field"),
        ("a prediction that is true", named | {"prediction": True}, "invalid_field"),
    )


def _dumped(*cases: tuple[str, Json, str]) -> list[Case]:
    return [(what, orjson.dumps(document), reason) for what, document, reason in cases]
