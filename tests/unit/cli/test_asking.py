"""A scorer is asked for predictions, and asked again while it is busy."""

from collections.abc import Iterator

import httpx
import orjson
import pytest

from driftline.cli import asking
from driftline.cli.asking import Scorer
from driftline.cli.errors import CommandError

SERVED = httpx.Response(200, json={"model_version": "v7", "prediction": "yes"})
BUSY = httpx.Response(503, json={"error": "no version serves yet"})
REFUSED = httpx.Response(404, json={"error": "no model churn is deployed"})


def scorer(*answers: httpx.Response | Exception) -> tuple[Scorer, list[httpx.Request]]:
    """One that gives these answers, the last again and again."""
    coming: Iterator[httpx.Response | Exception] = iter(answers)
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        said = next(coming, answers[-1])
        if isinstance(said, Exception):
            raise said
        return said

    transport = httpx.MockTransport(answer)
    return Scorer("http://scorer", "secret-of-the-scorer", transport), asked


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "sleep", lambda _: None)


def test_the_version_that_answered_is_told() -> None:
    client, asked = scorer(SERVED)
    assert client.predict("churn", "p-1", {"age": 31.0}) == "v7"
    assert asked[0].url.path == "/v1/models/churn:predict"
    assert orjson.loads(asked[0].content) == {"prediction_id": "p-1", "features": {"age": 31.0}}
    assert asked[0].headers["authorization"] == "Bearer secret-of-the-scorer"


def test_a_scorer_that_is_busy_or_away_is_asked_again_under_the_same_id() -> None:
    client, asked = scorer(BUSY, httpx.ConnectError("refused"), SERVED)
    assert client.predict("churn", "p-1", {}) == "v7"
    assert {request.content for request in asked} == {asked[0].content}
    assert len(asked) == 3


def test_a_refusal_is_told_in_the_scorer_s_own_words_at_once() -> None:
    client, asked = scorer(REFUSED)
    with pytest.raises(CommandError, match="no model churn is deployed"):
        client.predict("churn", "p-1", {})
    assert len(asked) == 1


def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "PATIENCE_SECONDS", -1.0)
    client, _ = scorer(BUSY)
    with pytest.raises(CommandError, match="no version serves yet"):
        client.predict("churn", "p-1", {})


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (httpx.ConnectError("[Errno 111] Connection refused"), "it cannot be reached"),
        (httpx.ReadTimeout("read"), "it did not answer in time"),
    ],
)
def test_a_scorer_that_stays_away_is_told_in_words(
    monkeypatch: pytest.MonkeyPatch, error: Exception, says: str
) -> None:
    monkeypatch.setattr(asking, "PATIENCE_SECONDS", -1.0)
    client, _ = scorer(error)
    with pytest.raises(CommandError, match=says) as told:
        client.predict("churn", "p-1", {})
    assert str(told.value).startswith("The scorer at http://scorer did not predict: ")
    assert "Errno" not in str(told.value)


@pytest.mark.parametrize("url", ["127.0.0.1:8081", "ftp://scorer", "http://scorer:port"])
def test_an_address_that_is_none_is_told_at_once(url: str) -> None:
    with pytest.raises(CommandError, match="write it like http://127"):
        Scorer(url).predict("churn", "p-1", {})


def test_the_token_is_in_no_text_of_it() -> None:
    client, _ = scorer(SERVED)
    assert "secret" not in repr(client)
