"""What does the scorer answer to requests, good and bad?"""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import orjson
import pytest

from driftline.core.joining.envelope import read_prediction
from driftline.core.learning.binary import OnlineModel
from driftline.scorer.application import application
from driftline.scorer.ready import Ready
from driftline.scorer.recording import MemoryRecorder
from driftline_schemas.codec import decode
from driftline_schemas.predictions import Prediction
from loadtests.versions import spec_body, wire_spec
from tests.unit.scorer.rig import ROW, Rig
from tests.waiting import eventually

TOKEN = "scorer-token-0123456789"
JSON = {"content-type": "application/json"}
HOSTILE = [
    pytest.param("../../etc/passwd", id="a path"),
    pytest.param("<img src=x onerror=alert(1)>", id="markup"),
    pytest.param("churn:predict", id="the route's own end"),
    pytest.param("a" * 5_000, id="very long"),
    pytest.param("line\nbreak", id="a line break"),
    pytest.param("nul\x00", id="a zero byte"),
    pytest.param("модель/模型", id="other alphabets and a slash"),
    pytest.param("", id="none"),
]


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    rig = Rig()
    await rig.begin()
    yield rig
    await rig.swapping.close()


@dataclass
class Saying:
    """A model that says this."""

    value: object

    def learn_one(self, x: dict[str, Any], y: Any) -> None: ...

    def predict_one(self, x: dict[str, Any]) -> Any:
        return self.value


@dataclass
class Failing(Saying):
    """A model that fails, and quotes what it was given."""

    value: object = None

    def predict_one(self, x: dict[str, Any]) -> Any:
        raise ValueError(f"secret {x}")


def replace(rig: Rig, model: OnlineModel) -> None:
    """Another model serves under the version's name."""
    standing = rig.swapping.models["churn"]
    assert standing.served is not None
    standing.served = Ready.of(standing.served.version, model)


async def raw(rig: Rig, body: bytes, **headers: str) -> tuple[int, str]:
    answer = await rig.ask(
        "POST", "/v1/models/churn:predict", content=body, headers={**JSON, **headers}
    )
    return answer.status_code, answer.json().get("error", "")


def body(**parts: Any) -> bytes:
    return orjson.dumps({"features": ROW, **parts})


def nested(levels: int) -> bytes:
    return b'{"features":{"age":' + b"[" * levels + b"]" * levels + b"}}"


async def test_the_answer_names_the_version_and_what_is_published_says_the_same(rig: Rig) -> None:
    rig.clock.advance(250)
    given: dict[str, Any] = {
        "prediction_id": "order-7",
        "entity_id": "ann",
        "segments": {"region": "north"},
    }
    answer = await rig.predict(**given)
    assert answer.status_code == 200
    said = answer.json()
    serving = rig.book.state.models["churn"].deployed
    assert serving is not None
    assert said["model_version"] == serving.body.version_id
    assert (said["prediction_id"], said["model"]) == ("order-7", "churn")
    assert said["prediction"] in said["probabilities"]
    assert sum(said["probabilities"].values()) == pytest.approx(1)
    (topic, key, value) = rig.recorder.records[0]
    assert (topic, key) == ("driftline.predictions.v1", "order-7")
    event = decode(Prediction, value)
    assert read_prediction(value).prediction_id == "order-7"  # the joiner takes it
    published = event.model_dump(exclude_none=True)
    assert {**said, **given, "features": ROW}.items() <= published.items()
    assert event.predicted_at == rig.clock.now()
    assert event.producer is not None
    assert event.producer.name == "driftline-scorer"


async def test_ids_that_are_made_here_differ_and_are_valid(rig: Rig) -> None:
    ids = {(await rig.predict()).json()["prediction_id"] for _ in range(50)}
    assert len(ids) == 50
    assert {read_prediction(value).prediction_id for _, _, value in rig.recorder.records} == ids


@pytest.mark.parametrize(
    ("content", "status", "why"),
    [
        pytest.param(b"{", 422, "not JSON", id="torn"),
        pytest.param(b"", 422, "not JSON", id="empty"),
        pytest.param(b'{"features":{"age":NaN}}', 422, "not JSON", id="a bare NaN"),
        pytest.param(b'{"features":{"age":"\xff"}}', 422, "not JSON", id="not UTF-8"),
        pytest.param(b"[]", 422, "event", id="a list"),
        pytest.param(b"{}", 422, "features", id="no features"),
        pytest.param(b'{"features":[1]}', 422, "features", id="features in a list"),
        pytest.param(nested(6), 200, "", id="as deep as allowed"),
        pytest.param(nested(7), 422, "deeper than 8", id="too deep"),
        pytest.param(nested(5_000), 422, "deeper than 8", id="far too deep"),
        pytest.param(body(model_version="mine"), 422, "model_version", id="a field of ours"),
        pytest.param(body(prediction_id="a b"), 422, "prediction_id", id="an id with a space"),
        pytest.param(body(prediction_id="x" * 129), 422, "prediction_id", id="a long id"),
        pytest.param(body(prediction_id=7), 422, "prediction_id", id="a number as id"),
        pytest.param(body(prediction_id="a\n"), 422, "prediction_id", id="an id with a newline"),
        pytest.param(body(entity_id=7), 422, "entity_id", id="a number as entity"),
        pytest.param(body(segments={"a": 1}), 422, "segments", id="a number as segment"),
        pytest.param(body(recording="maybe"), 422, "recording", id="a recording that is none"),
        pytest.param(
            orjson.dumps({"features": {f"f{i}": 1 for i in range(1_001)}}),
            422, "features", id="1,001 features",
        ),
        pytest.param(
            orjson.dumps({"features": {f"f{i}": 1 for i in range(1_000)}}),
            200, "", id="1,000 features, all unknown",
        ),
        pytest.param(b" " * (256 * 1_024) + b"{}", 413, "262,144 bytes", id="too many bytes"),
        pytest.param(
            orjson.dumps({"features": {"age": "x" * (256 * 1_024 - 200)}}),
            413, "The record of this prediction", id="a record too large once ours is in it",
        ),
    ],
)  # fmt: skip
async def test_bounds(rig: Rig, content: bytes, status: int, why: str) -> None:
    found, sentence = await raw(rig, content)
    assert found == status
    assert why in sentence
    assert len(rig.published()) == (status == 200)
    assert sentence == "" or (sentence.endswith(".") and "\n" not in sentence)


async def test_a_body_of_unsaid_length_is_bounded_too(rig: Rig) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 10_000

    answer = await rig.ask("POST", "/v1/models/churn:predict", content=chunks(), headers=JSON)
    assert answer.status_code == 413


async def test_features_that_fit_nothing_are_left_out_and_published_as_they_came(rig: Rig) -> None:
    odd = {"age": "old", "pro": 1, "unknown": [1, {"a": None}], "x": None}
    assert (await rig.predict(features=odd)).status_code == 200
    assert rig.published()[0]["features"] == odd


@pytest.mark.parametrize(
    ("features", "unseen"),
    [
        pytest.param(ROW, {}, id="all are there"),
        pytest.param({**ROW, "unknown": 1}, {}, id="others do not matter"),
        pytest.param({"age": 51.5}, {"missing": ["pro"]}, id="one is not there"),
        pytest.param({}, {"missing": ["age", "pro"]}, id="none is there"),
        pytest.param({"age": None, "pro": True}, {"missing": ["age"]}, id="one is null"),
        pytest.param({"age": "monday", "pro": True}, {"invalid": ["age"]}, id="a text"),
        pytest.param({"age": 10**30}, {"missing": ["pro"], "invalid": ["age"]}, id="one of each"),
    ],
)
async def test_features_that_the_model_did_without_are_named_in_the_answer_alone(
    rig: Rig, features: dict[str, Any], unseen: dict[str, list[str]]
) -> None:
    content = json.dumps({"features": features}).encode()  # orjson writes no wide integer
    answer = await rig.ask("POST", "/v1/models/churn:predict", content=content, headers=JSON)
    assert answer.status_code == 200
    said = answer.json()
    assert {name: said[name] for name in ("missing", "invalid") if name in said} == unseen
    assert {"missing", "invalid"}.isdisjoint(rig.published()[0])


async def test_a_wide_integer_is_invalid_to_the_model_and_to_every_reader(rig: Rig) -> None:
    status, _ = await raw(rig, b'{"features":{"age":%d,"pro":true,"big":1e30}}' % 10**30)
    assert status == 200
    (event,) = rig.published()
    assert (event["features"]["age"], event["nonfinite"]) == (None, ["age"])
    assert event["features"]["big"] == 1e30
    without = (await rig.predict(features={"pro": True})).json()
    assert event["probabilities"] == without["probabilities"]


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_names_are_unknown(rig: Rig, name: str) -> None:
    answer = await rig.ask(
        "POST", f"/v1/models/{quote(name, safe='')}:predict", json={"features": ROW}
    )
    assert answer.status_code == 404
    assert name == "" or name not in answer.text
    assert rig.recorder.records == []


@pytest.mark.parametrize("name", ["команда/модель 1", "a:predict", "<b>", "100%", "?&#"])
async def test_whatever_a_model_is_called_it_is_served(name: str) -> None:
    rig = Rig(wire_spec(name))
    await rig.begin()
    answer = await rig.predict(quote(name, safe=""))
    assert (answer.status_code, answer.json()["model"]) == (200, name)


async def test_other_routes_and_methods_are_refused_in_one_sentence(rig: Rig) -> None:
    for method, path in [("GET", "/v1/models/churn:predict"), ("GET", "/docs"), ("DELETE", "/")]:
        answer = await rig.ask(method, path, headers=JSON)
        assert answer.status_code in (404, 405)
        assert answer.json().keys() == {"error"}


async def test_a_page_of_another_site_cannot_ask(rig: Rig) -> None:
    plain = await raw(rig, body(), **{"content-type": "text/plain"})
    assert plain == (415, "The body must be application/json.")
    assert (await raw(rig, body(), host="evil.example:8081"))[0] == 403


@pytest.mark.parametrize(
    ("header", "status"),
    [
        pytest.param({}, 401, id="none"),
        pytest.param({"authorization": "Bearer wrong"}, 401, id="a wrong one"),
        pytest.param({"authorization": f"Basic {TOKEN}"}, 401, id="another scheme"),
        pytest.param({"authorization": f"Bearer {TOKEN}"}, 200, id="the right one"),
    ],
)
async def test_every_route_needs_the_token(header: dict[str, str], status: int) -> None:
    rig = Rig(token=TOKEN)
    await rig.begin()
    asked = await rig.ask(
        "POST", "/v1/models/churn:predict", json={"features": ROW},
        headers={**header, "host": "scorer.example"},
    )  # fmt: skip
    listed = await rig.ask("GET", "/v1/models", headers=header)
    described = await rig.ask("GET", "/v1/openapi.json", headers=header)
    assert {asked.status_code, listed.status_code, described.status_code} == {status}


async def test_too_many_at_once_are_told_to_come_again() -> None:
    rig = Rig(most=2)
    await rig.begin()
    gate, waiting = asyncio.Event(), []

    class Waiting(MemoryRecorder):
        async def acknowledged(self, topic: str, key: str, value: bytes) -> None:
            waiting.append(key)
            await gate.wait()

    rig.predicting.recorder = Waiting()
    running = [asyncio.create_task(rig.predict(recording="required")) for _ in range(2)]
    await eventually(lambda: len(waiting) == 2)
    answer = await rig.predict()
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    gate.set()
    assert [task.status_code for task in await asyncio.gather(*running)] == [200, 200]
    assert (await rig.predict()).status_code == 200


async def test_required_recording_answers_only_what_the_broker_has(rig: Rig) -> None:
    rig.recorder.refusing = True
    answer = await rig.predict(recording="required")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert "could not be recorded" in answer.json()["error"]
    assert (await rig.predict(recording="best_effort")).status_code == 200
    rig.recorder.refusing = False
    assert (await rig.predict(recording="required")).status_code == 200
    assert len(rig.published()) == 2


async def test_a_request_may_leave_the_recording_to_the_setting(rig: Rig) -> None:
    rig.predicting.recording = "required"
    rig.recorder.refusing = True
    assert (await rig.predict()).status_code == 503


async def test_best_effort_answers_also_when_there_is_no_room(rig: Rig) -> None:
    rig.recorder.full = True
    assert (await rig.predict()).status_code == 200
    assert rig.published() == []


async def test_before_the_topics_are_read_nobody_is_told_unknown() -> None:
    rig = Rig()
    rig.predicting.not_ready = "the registry is not read yet"
    answer = await rig.predict()
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    rig.predicting.not_ready = None
    assert (await rig.predict()).status_code == 404


async def test_a_model_whose_champion_is_still_made_answers_503() -> None:
    rig = Rig()
    rig.book.accepted("apply_spec", spec_body(rig.spec))
    await rig.feed()
    answer = await rig.predict()
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert "No version of churn is deployed yet" in answer.json()["error"]


async def test_a_model_that_is_served_outside_is_not_worth_asking_for_again() -> None:
    rig = Rig(wire_spec(champion=None))
    await rig.begin()
    answer = await rig.predict()
    assert (answer.status_code, "retry-after" in answer.headers) == (404, False)
    assert "served outside" in answer.json()["error"]
    await rig.promote("lr/v1")  # by a person
    assert (await rig.predict()).status_code == 200


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None, "12"])
async def test_a_number_that_is_none_is_not_answered_and_not_published(value: object) -> None:
    rig = Rig(
        wire_spec(
            task="regression",
            pipelines={"sm": [{"class": "linear_model.LinearRegression"}]},
        )
    )
    await rig.begin()
    assert isinstance((await rig.predict()).json()["prediction"], float)
    replace(rig, Saying(value))
    answer = await rig.predict()
    assert answer.status_code == 500
    assert answer.json()["error"] == "churn/sm/v1 has no finite number for these features."
    assert len(rig.published()) == 1


async def test_a_pipeline_that_fails_says_nothing_of_the_data(rig: Rig) -> None:
    replace(rig, Failing())
    answer = await rig.predict()
    assert answer.status_code == 500
    assert answer.json()["error"] == "churn/sm/v1 fails with ValueError on these features."


async def test_the_openapi_page_describes_the_route(rig: Rig) -> None:
    page = (await rig.ask("GET", "/v1/openapi.json")).json()
    route = page["paths"]["/v1/models/{model}:predict"]["post"]
    schema = route["requestBody"]["content"]["application/json"]["schema"]
    assert "features" in schema["properties"]
    answered = page["components"]["schemas"]["PredictAnswer"]["properties"]
    assert {"missing", "invalid"} <= answered.keys()
    assert page["paths"].keys() == {"/v1/models/{model}:predict", "/v1/models"}


def test_every_route_stands_behind_the_gate() -> None:
    rig = Rig(token=TOKEN)
    assert [str(layer) for layer in application(rig.predicting, None).user_middleware] == [
        "Middleware(Gatekeeper, token=None, most=200)"
    ]
