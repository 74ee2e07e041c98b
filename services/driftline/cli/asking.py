"""Predictions by HTTP from a scorer, one after the other, as a small app asks for them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from time import monotonic, sleep
from typing import Any, Final
from urllib.parse import quote

import httpx

from driftline.cli.errors import CommandError, ended
from driftline.sdk import Driftline

PATIENCE_SECONDS: Final = 20.0  # a scorer that is busy or away is asked again
AGAIN_SECONDS: Final = 0.05
TIMEOUT_SECONDS: Final = 10.0
BUSY: Final = frozenset({429, 503})


@dataclass(slots=True)
class Scorer:
    """One connection to a scorer. Asked again under the same id, a prediction counts once."""

    url: str
    token: str | None = field(default=None, repr=False)
    transport: httpx.BaseTransport | None = field(default=None, repr=False)  # default: the network
    _client: httpx.Client = field(init=False, repr=False)

    def __post_init__(self) -> None:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        try:
            self._client = httpx.Client(
                base_url=self.url,
                headers=headers,
                timeout=TIMEOUT_SECONDS,
                transport=self.transport,
            )
        except httpx.InvalidURL:
            raise _no_address(self.url) from None

    def predict(self, model: str, prediction_id: str, features: Mapping[str, Any]) -> str:
        """The version that answered. CommandError: it refuses, or does not answer in 20 s."""
        body = {"prediction_id": prediction_id, "features": dict(features)}
        give_up = monotonic() + PATIENCE_SECONDS
        while True:
            status, answer = self._ask(f"/v1/models/{quote(model, safe='')}:predict", body)
            if status == httpx.codes.OK:
                return str(answer["model_version"])
            why = str(answer.get("error"))
            if status not in BUSY or monotonic() > give_up:
                raise CommandError(ended(f"The scorer at {self.url} did not predict: {why}"))
            sleep(AGAIN_SECONDS)

    def _ask(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Status and answer; one that cannot be reached counts as busy."""
        try:
            answer = self._client.post(path, json=body)
        except httpx.UnsupportedProtocol:
            raise _no_address(self.url) from None
        except httpx.TransportError as error:
            return httpx.codes.SERVICE_UNAVAILABLE, {"error": _away(error)}
        try:
            said = answer.json()
        except ValueError:
            said = None
        return answer.status_code, said if isinstance(said, dict) else {"error": answer.text[:200]}


def _no_address(url: str) -> CommandError:
    return CommandError(f"{url!r} is no address of a scorer: write it like http://127.0.0.1:8081.")


def _away(error: httpx.TransportError) -> str:
    if isinstance(error, httpx.ConnectError):
        return "it cannot be reached (is `driftline run scorer` running?)"
    return "it did not answer in time" if isinstance(error, httpx.TimeoutException) else str(error)


@dataclass(slots=True)
class AskingApp:
    """An app without a model of its own: the scorer predicts and publishes, labels are its own."""

    scorer: Scorer
    client: Driftline
    asked: int = 0

    def log_prediction(
        self, *, model: str, features: Mapping[str, Any], prediction_id: str, **_its_own: object
    ) -> str | None:
        """Ask instead of publishing."""
        self.asked += 1
        self.scorer.predict(model, prediction_id, features)
        return prediction_id

    def log_label(self, *, model: str, prediction_id: str, label: object) -> bool:
        """Publish it through the SDK."""
        return self.client.log_label(model=model, prediction_id=prediction_id, label=label)
